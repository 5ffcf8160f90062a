// The content of a message for those who pass it on: in its queue file, or in a copy of that file in memory while there
// is no file yet.
#pragma once

#include "base/error.h"

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

namespace facteur::queue {

struct Content {
    std::shared_ptr<const std::string> image; // the bytes of the whole file; none: read `file`
    int file = -1;                            // borrowed
    std::uint64_t offset = 0;                 // of the content in the file
    std::uint64_t size = 0;

    // Appends `count` bytes from `at` on. EIO: the file became shorter.
    std::expected<void, SystemError> read(std::uint64_t at, std::size_t count, std::string& into) const;
    // All of it, when it is in memory.
    [[nodiscard]] std::string_view in_memory() const
    {
        return image ? std::string_view(*image).substr(offset, size) : std::string_view{};
    }
};

} // namespace facteur::queue
