// CRC-32C (Castagnoli), as fast as the processor can (ISA-L). Source: RFC 3720 appendix B.4.
#pragma once

#include <cstdint>
#include <string_view>

namespace facteur::queue {

// `seed`: the result for what came before, so that parts can be summed one after the other.
std::uint32_t crc32c(std::string_view bytes, std::uint32_t seed = 0);

} // namespace facteur::queue
