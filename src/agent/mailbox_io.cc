#include "agent/mailbox_io.h"

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
    out.reserve(out.size() + std::min<std::uint64_t>(message.size, kPiece) + 64);
    std::string piece(std::min<std::uint64_t>(message.size, kPiece), '\0');
    std::uint64_t done = 0;
    while (done < message.size) {
        const std::size_t want = std::min<std::uint64_t>(piece.size(), message.size - done);
        const ssize_t got = ::pread(message.file, piece.data(), want, static_cast<off_t>(message.offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return std::unexpected(got < 0 ? errno : EIO); // the queue file became shorter
        done += static_cast<std::size_t>(got);
        form.feed(std::string_view(piece).substr(0, static_cast<std::size_t>(got)), out);
        if (out.size() >= kPiece)
            if (const auto written = write_out(fd, out); !written)
                return written;
    }
    form.finish(out);
    out += tail;
    return write_out(fd, out);
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
