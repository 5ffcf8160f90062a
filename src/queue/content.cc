#include "queue/content.h"

#include <unistd.h>

#include <cerrno>

namespace facteur::queue {

std::expected<void, SystemError> Content::read(std::uint64_t at, std::size_t count, std::string& into) const
{
    const auto shorter = [] { return std::unexpected(SystemError{"read", "queue file", EIO}); };
    if (image) {
        const std::string_view content = in_memory();
        if (at > content.size() || count > content.size() - at)
            return shorter();
        into += content.substr(at, count);
        return {};
    }
    const std::size_t before = into.size();
    into.resize(before + count);
    std::size_t have = 0;
    while (have < count) {
        const ssize_t got =
            ::pread(file, into.data() + before + have, count - have, static_cast<off_t>(offset + at + have));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return std::unexpected(SystemError::last("read", "queue file"));
        if (got == 0)
            return shorter();
        have += static_cast<std::size_t>(got);
    }
    return {};
}

} // namespace facteur::queue
