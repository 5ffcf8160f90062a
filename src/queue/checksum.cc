#include "queue/checksum.h"

#include <isa-l/crc.h>

namespace facteur::queue {

std::uint32_t crc32c(std::string_view bytes, std::uint32_t seed)
{
    constexpr std::size_t kMost = 1 << 30; // the library counts in int
    std::uint32_t sum = ~seed;
    while (!bytes.empty()) {
        const std::string_view part = bytes.substr(0, kMost);
        // The library's word for its input is not const; it only reads.
        auto* const at = reinterpret_cast<unsigned char*>(const_cast<char*>(part.data()));
        sum = ::crc32_iscsi(at, static_cast<int>(part.size()), sum);
        bytes.remove_prefix(part.size());
    }
    return ~sum;
}

} // namespace facteur::queue
