#include "base/write_at.h"

#include <unistd.h>

#include <cerrno>

namespace facteur {

std::expected<void, SystemError> write_at(int fd, std::string_view bytes, std::uint64_t offset,
                                          std::string_view subject)
{
    while (!bytes.empty()) {
        const ssize_t put = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return std::unexpected(SystemError::last("write", subject));
        bytes.remove_prefix(static_cast<std::size_t>(put));
        offset += static_cast<std::uint64_t>(put);
    }
    return {};
}

} // namespace facteur
