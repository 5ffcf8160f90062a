#include "mail/content_pass.h"

#include "mail/content_body.h"
#include "mail/content_headers.h"

#include <algorithm>
#include <utility>

namespace facteur::mail {
namespace {

constexpr std::size_t kLineSlack = 2048; // how much longer than header_size_limit a line may grow before it is judged

bool is_mailbox_separator(std::string_view line)
{
    const auto from = line.find_first_not_of('>');
    return from != line.npos && line.substr(from).starts_with("From ");
}
bool begins_with_space(std::string_view line)
{
    return line.starts_with(' ') || line.starts_with('\t');
}

} // namespace

// Cuts the headers into lines and logical headers, and finds where they end; the rest is for the body.
class ContentPass::State {
public:
    State(ContentOptions options, ContentHooks hooks)
        : options_(std::move(options)), hooks_(std::move(hooks)), headers_(options_, hooks_, output_),
          body_(options_, hooks_, output_)
    {
        headers_.put_prepended();
    }

    void push(std::string_view bytes)
    {
        output_.expect(bytes.size());
        while (phase_ != Phase::body && !bytes.empty())
            bytes = push_header_bytes(bytes);
        if (!bytes.empty())
            body_.push(bytes);
    }

    void finish()
    {
        if (std::exchange(finished_, true))
            return;
        if (phase_ != Phase::body && !line_.empty())
            take_line();
        if (phase_ != Phase::body)
            end_headers();
        body_.finish();
    }

    ContentOutput& output() { return output_; }

private:
    enum class Phase : std::uint8_t { first_line, headers, body };

    // Takes bytes up to the end of one line; gives the rest.
    std::string_view push_header_bytes(std::string_view bytes)
    {
        const auto end = bytes.find('\n');
        const bool full = line_.size() > options_.header_size_limit + kLineSlack;
        if (full && !belongs_to_headers(line_)) {
            // An endless line of text: the body begins with it.
            begin_body();
            body_.push(std::exchange(line_, {}));
            return bytes;
        }
        if (!full)
            line_ += bytes.substr(0, end); // what follows in a header as long as this would be cut anyway
        if (end == bytes.npos)
            return {};
        take_line();
        return bytes.substr(end + 1);
    }

    [[nodiscard]] bool belongs_to_headers(std::string_view line) const
    {
        return header_name_length(line) > 0 || (begins_with_space(line) && !header_.empty()) ||
               (phase_ == Phase::first_line && is_mailbox_separator(line));
    }

    void take_line()
    {
        clean_line(line_, options_, output_.facts());
        const bool header = belongs_to_headers(line_);
        if (phase_ == Phase::first_line && is_mailbox_separator(line_)) {
            headers_.take("X-Mailbox-Line: " + line_); // kept, but as a header that means nothing
        } else if (header && begins_with_space(line_)) {
            gather("\n");
            gather(line_);
        } else if (header) {
            close_header();
            gather(line_);
            phase_ = Phase::headers;
        } else {
            begin_body();
            if (!line_.empty())
                body_.take_first_line(line_);
        }
        line_.clear();
    }

    // At most header_size_limit bytes of a header are kept.
    void gather(std::string_view text)
    {
        header_ += text.substr(0, options_.header_size_limit - std::min(options_.header_size_limit, header_.size()));
    }

    void close_header()
    {
        if (header_.empty())
            return;
        body_.see_header(header_);
        headers_.take(std::exchange(header_, {}));
    }

    void end_headers()
    {
        close_header();
        headers_.finish();
        phase_ = Phase::body;
    }

    void begin_body()
    {
        end_headers();
        output_.put_line({});
        body_.begin();
    }

    ContentOptions options_;
    ContentHooks hooks_;
    ContentOutput output_;
    ContentHeaders headers_;
    ContentBody body_;
    Phase phase_ = Phase::first_line;
    bool finished_ = false;
    std::string line_;   // gathered up to its LF
    std::string header_; // logical header, lines joined by LF
};

ContentPass::ContentPass(ContentOptions options, ContentHooks hooks)
    : state_(std::make_unique<State>(std::move(options), std::move(hooks)))
{
}
ContentPass::~ContentPass() = default;
ContentPass::ContentPass(ContentPass&&) noexcept = default;
ContentPass& ContentPass::operator=(ContentPass&&) noexcept = default;

void ContentPass::push(std::string_view bytes)
{
    state_->push(bytes);
}
void ContentPass::finish()
{
    state_->finish();
}
std::string& ContentPass::output()
{
    return state_->output().bytes();
}
const ContentFacts& ContentPass::facts() const
{
    return state_->output().facts();
}

} // namespace facteur::mail
