#include "queue/content.h"

#include "base/read_exactly.h"

#include <cerrno>

namespace facteur::queue {

std::expected<void, SystemError> Content::read(std::uint64_t at, std::size_t count, std::string& into) const
{
    const auto shorter = []() -> std::expected<void, SystemError> {
        return std::unexpected(SystemError{"read", "queue file", EIO});
    };
    if (image) {
        const std::string_view content = in_memory();
        if (at > content.size() || count > content.size() - at)
            return shorter();
        into += content.substr(at, count);
        return {};
    }
    auto done = read_exactly(file, offset + at, count, "queue file", into);
    return done || done.error().code != EINVAL ? done : shorter();
}

} // namespace facteur::queue
