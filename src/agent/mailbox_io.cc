#include "agent/mailbox_io.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace facteur::agent {

namespace {

constexpr std::size_t kPiece = 256 << 10;

std::expected<void, int> write_out(int fd, std::string& bytes)
{
    if (const auto written = write_all(fd, bytes, "mailbox"); !written)
        return std::unexpected(written.error().code);
    bytes.clear();
    return {};
}

} // namespace

std::expected<void, int> write_local_form(int fd, const MailboxMessage& message, FromLines from_lines,
                                          std::string_view tail)
{
    LocalForm form(from_lines);
    std::string out = message.head;
    const queue::Content& content = message.content;
    out.reserve(out.size() + std::min<std::uint64_t>(content.size, kPiece) + 64);
    if (content.image)
        form.feed(content.in_memory(), out);
    std::string piece;
    for (std::uint64_t done = 0; !content.image && done < content.size; done += piece.size()) {
        piece.clear();
        if (const auto read = content.read(done, std::min<std::uint64_t>(kPiece, content.size - done), piece); !read)
            return std::unexpected(read.error().code);
        form.feed(piece, out);
        if (out.size() >= kPiece)
            if (const auto written = write_out(fd, out); !written)
                return written;
    }
    form.finish(out);
    out += tail;
    return write_out(fd, out);
}

std::unexpected<MailboxFailure> failure(int code, std::string_view what, std::string_view otherwise)
{
    return std::unexpected(MailboxFailure{.status = mailbox_status(code, otherwise),
                                          .reason = fmt::format("{}: {}", what, errno_text(code)),
                                          .code = code});
}

MailboxFailure write_failure(int code)
{
    return {.status = mailbox_status(code, "5.3.0"),
            .reason = "error writing message: " + errno_text(code),
            .unix_error = true,
            .code = code};
}

bool make_directories_above(const std::string& path)
{
    for (auto slash = path.find('/', 1); slash != path.npos; slash = path.find('/', slash + 1))
        if (::mkdir(path.substr(0, slash).c_str(), 0700) != 0 && errno != EEXIST) {
            // Above what belongs to the user nothing can be made, and need not be.
            struct stat status{};
            const int code = errno;
            if (::stat(path.substr(0, slash).c_str(), &status) == 0 && S_ISDIR(status.st_mode))
                continue;
            errno = code;
            return false;
        }
    return true;
}

} // namespace facteur::agent
