#include "queue/checksum.h"

#include <array>
#include <cstring>
#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace facteur::queue {

namespace {

constexpr std::array<std::uint32_t, 256> make_table()
{
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t value = i;
        for (int bit = 0; bit < 8; ++bit)
            value = value & 1 ? (value >> 1) ^ 0x82F63B78U : value >> 1;
        table[i] = value;
    }
    return table;
}

std::uint32_t by_table(std::string_view bytes, std::uint32_t sum)
{
    static constexpr auto kTable = make_table();
    for (const char c : bytes)
        sum = kTable[(sum ^ static_cast<unsigned char>(c)) & 0xFF] ^ (sum >> 8);
    return sum;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t by_instruction(std::string_view bytes, std::uint32_t sum)
{
    const char* at = bytes.data();
    std::size_t left = bytes.size();
    std::uint64_t wide = sum;
    for (; left >= 8; at += 8, left -= 8) {
        std::uint64_t word;
        std::memcpy(&word, at, 8);
        wide = _mm_crc32_u64(wide, word);
    }
    sum = static_cast<std::uint32_t>(wide);
    for (; left > 0; ++at, --left)
        sum = _mm_crc32_u8(sum, static_cast<unsigned char>(*at));
    return sum;
}
#endif

} // namespace

std::uint32_t crc32c(std::string_view bytes, std::uint32_t seed)
{
    const std::uint32_t start = ~seed;
#if defined(__x86_64__)
    static const bool fast = __builtin_cpu_supports("sse4.2");
    if (fast)
        return ~by_instruction(bytes, start);
#endif
    return ~by_table(bytes, start);
}

} // namespace facteur::queue
