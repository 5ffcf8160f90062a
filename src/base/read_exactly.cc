#include "base/read_exactly.h"

#include <unistd.h>

#include <cerrno>
#include <optional>

namespace facteur {

std::expected<void, SystemError> read_exactly(int fd, std::uint64_t offset, std::size_t size, std::string_view subject,
                                              std::string& into)
{
    const std::size_t before = into.size();
    std::optional<SystemError> failed;
    const std::size_t end = before + size;
    into.resize_and_overwrite(end, [&](char* bytes, std::size_t /* libstdc++ 12 gives the capacity */) {
        std::size_t at = before;
        while (at < end && !failed) {
            const ssize_t got = ::pread(fd, bytes + at, end - at, static_cast<off_t>(offset + (at - before)));
            if (got > 0)
                at += static_cast<std::size_t>(got);
            else if (got == 0)
                failed = SystemError{"read", std::string(subject), EINVAL};
            else if (errno != EINTR)
                failed = SystemError::last("read", std::string(subject));
        }
        return at;
    });
    if (failed)
        return std::unexpected(std::move(*failed));
    return {};
}

std::expected<std::string, SystemError> read_exactly(int fd, std::uint64_t offset, std::size_t size,
                                                     std::string_view subject)
{
    std::string bytes;
    if (auto read = read_exactly(fd, offset, size, subject, bytes); !read)
        return std::unexpected(std::move(read.error()));
    return bytes;
}

} // namespace facteur
