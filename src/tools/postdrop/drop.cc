#include "tools/postdrop/drop.h"

#include "base/error.h"
#include "queue/queue_id.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>

namespace facteur::postdrop {

namespace {

constexpr int kAttempts = 100;
constexpr std::size_t kReadSize = 64 << 10;

// What the signal handler removes; written whole before the flag is set.
char unfinished_path[128];
std::atomic<bool> is_unfinished{false};

std::string path_of(const std::string& name)
{
    return "maildrop/" + name;
}

void stamp(queue::Envelope& envelope)
{
    using namespace std::chrono;
    const auto now = duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
    envelope.set_arrival_seconds(now / 1'000'000);
    envelope.set_arrival_microseconds(static_cast<std::uint32_t>(now % 1'000'000));
}

// Reads with a retry; 0 at the end.
ssize_t read_some(int fd, char* buffer, std::size_t size)
{
    for (;;) {
        const ssize_t got = ::read(fd, buffer, size);
        if (got >= 0 || errno != EINTR)
            return got;
    }
}

// The copying, a record at a time.
class Copy {
public:
    Copy(MaildropFile& file, std::uint64_t size_limit) : file_(file), limit_(size_limit) {}

    // True at the end of the message.
    std::expected<bool, Failure> take(std::string_view bytes)
    {
        parser_.push(bytes);
        for (;;) {
            const auto step = parser_.next(payload_);
            switch (step) {
            case queue::MaildropParser::Step::need_bytes:
                return false;
            case queue::MaildropParser::Step::bad:
                return std::unexpected(Failure{ipc::SUBMIT_BAD, "malformed input"});
            case queue::MaildropParser::Step::end:
                return finish();
            case queue::MaildropParser::Step::envelope:
                if (auto kept = keep_envelope(); !kept)
                    return std::unexpected(kept.error());
                break;
            case queue::MaildropParser::Step::content:
                if (auto kept = keep_content(); !kept)
                    return std::unexpected(kept.error());
                break;
            }
        }
    }

private:
    std::expected<void, Failure> keep_envelope()
    {
        auto envelope = queue::accept_user_envelope(payload_);
        if (!envelope)
            return std::unexpected(Failure{ipc::SUBMIT_BAD, "malformed input: " + envelope.error()});
        stamp(*envelope);
        return write(std::string(queue::kMaildropMagic) +
                     queue::maildrop_record(queue::MaildropRecord::envelope, envelope->SerializeAsString()));
    }
    std::expected<void, Failure> keep_content()
    {
        size_ += payload_.size();
        if (limit_ > 0 && size_ > limit_)
            return std::unexpected(Failure{ipc::SUBMIT_SIZE, errno_text(EFBIG)});
        return write(queue::maildrop_record(queue::MaildropRecord::content, payload_));
    }
    std::expected<bool, Failure> finish()
    {
        if (auto written = write(queue::maildrop_record(queue::MaildropRecord::end, {})); !written)
            return std::unexpected(written.error());
        return true;
    }
    std::expected<void, Failure> write(std::string_view bytes)
    {
        if (auto written = file_.append(bytes); !written)
            return std::unexpected(Failure{ipc::SUBMIT_WRITE, written.error()});
        return {};
    }

    MaildropFile& file_;
    std::uint64_t limit_;
    std::uint64_t size_ = 0;
    queue::MaildropParser parser_;
    std::string payload_;
};

} // namespace

MaildropFile::MaildropFile(UniqueFd fd, std::string name) : fd_(std::move(fd)), name_(std::move(name))
{
    const std::string path = path_of(name_);
    std::memcpy(unfinished_path, path.c_str(), std::min(path.size() + 1, sizeof unfinished_path - 1));
    is_unfinished = true;
}

MaildropFile::MaildropFile(MaildropFile&& other) noexcept
    : fd_(std::move(other.fd_)), name_(std::move(other.name_)), published_(std::exchange(other.published_, true))
{
}

MaildropFile::~MaildropFile()
{
    if (!published_)
        remove_unfinished();
}

void MaildropFile::remove_unfinished() noexcept
{
    if (is_unfinished.exchange(false))
        ::unlink(unfinished_path);
}

std::expected<MaildropFile, std::string> MaildropFile::create(bool long_ids)
{
    queue::IdSource ids(long_ids ? queue::IdForm::long_form : queue::IdForm::short_form);
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
        std::string name = ids.next();
        auto fd = open_file(path_of(name), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
        if (fd)
            return MaildropFile(std::move(*fd), std::move(name));
        if (fd.error().code != EEXIST)
            return std::unexpected(fmt::format("create file {}: {}", path_of(name), errno_text(fd.error().code)));
    }
    return std::unexpected("create file in maildrop: no free name");
}

std::expected<void, std::string> MaildropFile::append(std::string_view bytes) const
{
    if (const auto written = write_all(fd_.get(), bytes, name_); !written)
        return std::unexpected(errno_text(written.error().code));
    return {};
}

std::expected<void, std::string> MaildropFile::publish()
{
    if (::fchmod(fd_.get(), 0744) != 0 || ::fsync(fd_.get()) != 0)
        return std::unexpected(errno_text(errno));
    published_ = true;
    is_unfinished = false;
    // The group may not read the directory; where it may (root), the name is flushed as well as the file.
    if (const auto directory = open_file("maildrop", O_RDONLY | O_DIRECTORY);
        directory && ::fsync(directory->get()) != 0)
        return std::unexpected(errno_text(errno));
    return {};
}

std::expected<void, Failure> copy_message(int input, MaildropFile& file, std::uint64_t size_limit)
{
    Copy copy(file, size_limit);
    std::string buffer(kReadSize, '\0');
    for (;;) {
        const ssize_t got = read_some(input, buffer.data(), buffer.size());
        if (got < 0)
            return std::unexpected(Failure{ipc::SUBMIT_BAD, "error reading input: " + errno_text(errno)});
        if (got == 0)
            return std::unexpected(Failure{ipc::SUBMIT_BAD, "malformed input"});
        const auto done = copy.take(std::string_view(buffer).substr(0, static_cast<std::size_t>(got)));
        if (!done)
            return std::unexpected(done.error());
        if (*done)
            return {};
    }
}

} // namespace facteur::postdrop
