#include "mail/mime.h"

#include "base/text.h"

#include <algorithm>

namespace facteur::mail {
namespace {

// Words of a structured MIME header.
// RFC 2045 s5.1: only ()<>@,;:\"/[]?= end a token; of these, those that appear in practice.
class ParameterScanner {
public:
    explicit ParameterScanner(std::string_view text) : text_(text) {}

    // A word, a quoted string's content, or nothing when a separator comes.
    std::string word()
    {
        skip();
        std::string out;
        if (at_ < text_.size() && text_[at_] == '"')
            return quoted();
        while (at_ < text_.size() && !separates(text_[at_]))
            out += text_[at_++];
        return out;
    }
    bool accept(char c)
    {
        skip();
        if (at_ >= text_.size() || text_[at_] != c)
            return false;
        ++at_;
        return true;
    }
    // To just after the next ';' outside quotes and comments.
    bool next_parameter()
    {
        while (at_ < text_.size()) {
            skip();
            if (accept(';'))
                return true;
            if (at_ < text_.size() && text_[at_] == '"')
                quoted();
            else
                ++at_;
        }
        return false;
    }

private:
    static bool separates(char c)
    {
        return text::is_space(c) || std::string_view{"();:\"/=,"}.find(c) != std::string_view::npos;
    }

    void skip()
    {
        for (int depth = 0; at_ < text_.size(); ++at_) {
            const char c = text_[at_];
            if (c == '(')
                ++depth;
            else if (c == ')' && depth > 0)
                --depth;
            else if (c == '\\' && depth > 0)
                ++at_;
            else if (depth == 0 && !text::is_space(c))
                return;
        }
        at_ = std::min(at_, text_.size());
    }
    std::string quoted()
    {
        std::string out;
        for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
            if (text_[at_] == '\\' && ++at_ == text_.size())
                return out;
            if (text_[at_] != '\r' && text_[at_] != '\n')
                out += text_[at_];
        }
        at_ = std::min(at_ + 1, text_.size());
        return out;
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

} // namespace

std::string_view mime_error_text(MimeError error)
{
    switch (error) {
    case MimeError::nesting:
        return "MIME nesting exceeds safety limit";
    case MimeError::header_8bit:
        return "improper use of 8-bit data in message header";
    case MimeError::body_8bit:
        return "improper use of 8-bit data in message body";
    case MimeError::encoding_domain:
        return "invalid message/* or multipart/* encoding domain";
    case MimeError::header_truncated:
        return "message header length exceeds safety limit";
    }
    return {};
}

std::optional<TransferEncoding> parse_transfer_encoding(std::string_view value)
{
    ParameterScanner in{value};
    if (in.accept('"'))
        return std::nullopt;
    const std::string name = text::to_lower(in.word());
    if (name == "7bit")
        return TransferEncoding{MimeDomain::seven_bit, true};
    if (name == "8bit")
        return TransferEncoding{MimeDomain::eight_bit, true};
    if (name == "binary")
        return TransferEncoding{MimeDomain::binary, true};
    if (name == "quoted-printable" || name == "base64" || name == "uuencode")
        return TransferEncoding{MimeDomain::seven_bit, false};
    return std::nullopt;
}

ContentType parse_content_type(std::string_view value)
{
    ParameterScanner in{value};
    ContentType out;
    out.type = text::to_lower(in.word());
    out.subtype = in.accept('/') ? text::to_lower(in.word()) : std::string{};
    while (out.is_multipart() && out.boundary.empty() && in.next_parameter()) {
        const std::string name = text::to_lower(in.word());
        if (in.accept('=') && name == "boundary")
            out.boundary = in.word();
    }
    return out;
}

void MimeWalker::start_headers(Block block, bool digest)
{
    block_ = block;
    part_ = Head{};
    in_header_ = false;
    if (digest)
        part_.type = ContentType{.type = "message", .subtype = "rfc822", .boundary = {}};
}

void MimeWalker::take_header_line(std::string_view line, bool first)
{
    if (first) {
        const HeaderId id = header_kind(line.substr(0, header_name_length(line))).id;
        keep_header_ = id == HeaderId::content_type || id == HeaderId::content_transfer_encoding;
        header_.clear();
        in_header_ = true;
    } else if (keep_header_) {
        header_ += '\n';
    }
    if (keep_header_) {
        header_ += line.substr(0, limits_.header_size - std::min(limits_.header_size, header_.size()));
        if (header_.size() >= limits_.header_size)
            note(MimeError::header_truncated);
    }
    if (!text::all_ascii(line))
        note(MimeError::header_8bit);
}

void MimeWalker::close_header()
{
    if (!in_header_)
        return;
    in_header_ = false;
    if (!keep_header_)
        return;
    const std::string_view text = header_;
    const std::size_t name = header_name_length(text);
    const std::string_view value = text.substr(text.find(':', name) + 1);
    if (header_kind(text.substr(0, name)).id == HeaderId::content_type)
        part_.type = parse_content_type(value);
    else if (const auto encoding = parse_transfer_encoding(value))
        part_.encoding = *encoding;
}

void MimeWalker::end_headers()
{
    close_header();
    head_ = std::move(part_);
    const ContentType& type = head_.type;
    if ((type.is_multipart() || type.is_message()) && !head_.encoding.identity)
        note(MimeError::encoding_domain);
    if ((type.subtype == "partial" || type.subtype == "external-body") && type.is_message() &&
        head_.encoding.domain != MimeDomain::seven_bit)
        note(MimeError::encoding_domain);
    in_leaf_ = !type.is_multipart();
    if (type.is_multipart() && !type.boundary.empty()) {
        if (levels_.size() >= limits_.nesting)
            note(MimeError::nesting);
        else
            levels_.push_back({type.boundary.substr(0, limits_.boundary_length), type.subtype == "digest"});
    }
    if (type.holds_message())
        start_headers(Block::nested, false);
    else
        block_ = Block::body;
}

// "--boundary" of any multipart that is still open; what follows on the line does not matter.
bool MimeWalker::take_boundary(std::string_view line)
{
    if (!line.starts_with("--"))
        return false;
    const std::string_view text = line.substr(2);
    for (std::size_t i = levels_.size(); i-- > 0;) {
        const Level& level = levels_[i];
        if (!text.starts_with(level.boundary))
            continue;
        const bool last = text.substr(level.boundary.size()).starts_with("--");
        const bool digest = level.digest;
        levels_.resize(last ? i : i + 1);
        if (last) {
            block_ = Block::body;
            in_leaf_ = false;
            head_ = Head{};
        } else {
            start_headers(Block::mime, digest);
        }
        return true;
    }
    return false;
}

MimeWalker::Line MimeWalker::next(std::string_view line)
{
    Line out;
    if (block_ != Block::body) {
        out.block = block_;
        if (in_header_ && !line.empty() && (line[0] == ' ' || line[0] == '\t')) {
            take_header_line(line, false);
            out.kind = Kind::header_more;
            return out;
        }
        close_header();
        if (header_name_length(line) > 0) {
            take_header_line(line, true);
            out.kind = Kind::header;
            return out;
        }
        end_headers();
        out.ended_headers = true;
        if (line.empty()) {
            out.kind = Kind::headers_end;
            return out;
        }
        block_ = Block::body; // a message inside that does not begin with headers
    }
    out.block = Block::body;
    if (take_boundary(line))
        out.kind = Kind::boundary;
    else if (head_.encoding.domain == MimeDomain::seven_bit &&
             (errors_ & static_cast<std::uint32_t>(MimeError::body_8bit)) == 0 && !text::all_ascii(line))
        note(MimeError::body_8bit);
    return out;
}

bool MimeWalker::finish()
{
    if (block_ == Block::body)
        return false;
    end_headers();
    block_ = Block::body;
    return true;
}

} // namespace facteur::mail
