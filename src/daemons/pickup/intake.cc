#include "daemons/pickup/intake.h"

#include "base/error.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace facteur::pickup {

namespace {

using Step = queue::MaildropParser::Step;

constexpr std::size_t kReadSize = 64 << 10;
constexpr std::size_t kPieceSize = 256 << 10; // of content, to cleanup in one request

Refusal refusal(Unfit why, std::string text)
{
    return {why, std::move(text)};
}

// The checks that make the owner of the file the author of the message.
std::expected<void, Refusal> check(const struct stat& status, const std::string& path)
{
    if (!S_ISREG(status.st_mode))
        return std::unexpected(refusal(Unfit::suspicious, path + ": not a regular file"));
    if ((status.st_mode & S_IXUSR) == 0)
        return std::unexpected(refusal(Unfit::unfinished, ""));
    if (status.st_nlink != 1)
        return std::unexpected(refusal(Unfit::suspicious, fmt::format("{}: file has {} links", path, status.st_nlink)));
    return {};
}

} // namespace

std::expected<DroppedMessage, Refusal> DroppedMessage::open(const std::string& path)
{
    auto fd = open_file(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (!fd) {
        const int code = fd.error().code;
        if (code == ENOENT)
            return std::unexpected(refusal(Unfit::gone, ""));
        // A file still being written is its author's alone.
        struct stat unopened{};
        if (code == EACCES && ::lstat(path.c_str(), &unopened) == 0 && S_ISREG(unopened.st_mode) &&
            (unopened.st_mode & S_IXUSR) == 0)
            return std::unexpected(refusal(Unfit::unfinished, ""));
        return std::unexpected(
            refusal(Unfit::suspicious, fmt::format("open input file {}: {}", path, errno_text(code))));
    }
    struct stat status{};
    if (::fstat(fd->get(), &status) != 0)
        return std::unexpected(refusal(Unfit::suspicious, fmt::format("fstat {}: {}", path, errno_text(errno))));
    if (auto fit = check(status, path); !fit)
        return std::unexpected(fit.error());
    DroppedMessage message(std::move(*fd), status.st_uid, status.st_mtime);
    if (auto read = message.read_envelope(); !read)
        return std::unexpected(read.error());
    return message;
}

std::expected<Step, Refusal> DroppedMessage::step(std::string& payload)
{
    std::string buffer;
    for (;;) {
        const Step found = parser_.next(payload);
        if (found == Step::bad)
            return std::unexpected(refusal(Unfit::corrupt, parser_.problem()));
        if (found != Step::need_bytes)
            return found;
        buffer.resize(kReadSize);
        const ssize_t got = ::read(fd_.get(), buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return std::unexpected(refusal(Unfit::suspicious, "read: " + errno_text(errno)));
        if (got == 0)
            return std::unexpected(refusal(Unfit::corrupt, "unexpected end of file"));
        parser_.push(std::string_view(buffer).substr(0, static_cast<std::size_t>(got)));
    }
}

std::expected<void, Refusal> DroppedMessage::read_envelope()
{
    std::string payload;
    const auto first = step(payload);
    if (!first)
        return std::unexpected(first.error());
    // The parser lets nothing else come first.
    auto envelope = queue::accept_user_envelope(payload);
    if (!envelope)
        return std::unexpected(refusal(Unfit::corrupt, envelope.error()));
    envelope_ = std::move(*envelope);
    return {};
}

std::expected<std::string, Refusal> DroppedMessage::next_content()
{
    std::string out;
    std::string payload;
    while (!ended_ && out.size() < kPieceSize) {
        const auto found = step(payload);
        if (!found)
            return std::unexpected(found.error());
        ended_ = *found == Step::end;
        out += ended_ ? endings_.finish() : endings_.convert(payload);
    }
    return out;
}

} // namespace facteur::pickup
