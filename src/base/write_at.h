// Writing files by offset.
#pragma once

#include "base/error.h"

#include <cstdint>
#include <expected>
#include <string_view>

namespace facteur {

// All of it, retrying short writes and EINTR.
[[nodiscard]] std::expected<void, SystemError> write_at(int fd, std::string_view bytes, std::uint64_t offset,
                                                        std::string_view subject);

} // namespace facteur
