// Reading files by offset.
#pragma once

#include "base/error.h"

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace facteur {

// `size` bytes from `offset` on, retrying short reads and EINTR. EINVAL: the file ends before.
[[nodiscard]] std::expected<std::string, SystemError> read_exactly(int fd, std::uint64_t offset, std::size_t size,
                                                                   std::string_view subject);
// The same, appended to `into`.
[[nodiscard]] std::expected<void, SystemError> read_exactly(int fd, std::uint64_t offset, std::size_t size,
                                                            std::string_view subject, std::string& into);

} // namespace facteur
