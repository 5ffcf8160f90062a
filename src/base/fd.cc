#include "base/fd.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace facteur {

UniqueFd& UniqueFd::operator=(UniqueFd&& other) noexcept
{
    if (this != &other)
        reset(other.release());
    return *this;
}

void UniqueFd::reset(int fd)
{
    if (fd_ >= 0)
        ::close(fd_);
    fd_ = fd;
}

std::expected<UniqueFd, SystemError> open_file(const std::string& path, int flags, unsigned mode)
{
    int fd;
    do {
        fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return std::unexpected(SystemError::last("open", path));
    return UniqueFd(fd);
}

std::expected<std::string, SystemError> read_file(const std::string& path, std::size_t limit)
{
    auto fd = open_file(path, O_RDONLY);
    if (!fd)
        return std::unexpected(fd.error());
    std::string text;
    char buffer[16384];
    for (;;) {
        const ssize_t got = ::read(fd->get(), buffer, sizeof buffer);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return std::unexpected(SystemError::last("read", path));
        if (got == 0)
            return text;
        if (text.size() + static_cast<std::size_t>(got) > limit)
            return std::unexpected(SystemError{"read", path, EFBIG});
        text.append(buffer, static_cast<std::size_t>(got));
    }
}

std::expected<void, SystemError> write_all(int fd, std::string_view bytes, std::string_view subject)
{
    while (!bytes.empty()) {
        const ssize_t put = ::write(fd, bytes.data(), bytes.size());
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return std::unexpected(SystemError::last("write", subject));
        bytes.remove_prefix(static_cast<std::size_t>(put));
    }
    return {};
}

bool set_nonblocking(int fd, bool on)
{
    const int flags = ::fcntl(fd, F_GETFL);
    return flags >= 0 && ::fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK) == 0;
}

bool set_close_on_exec(int fd, bool on)
{
    return ::fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0) == 0;
}

} // namespace facteur
