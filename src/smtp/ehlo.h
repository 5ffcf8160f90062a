// The keywords of an EHLO reply that smtpd_discard_ehlo_keywords and its like can take away.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace facteur::smtp {

namespace ehlo {
inline constexpr std::uint32_t eightbitmime = 1u << 0;
inline constexpr std::uint32_t pipelining = 1u << 1;
inline constexpr std::uint32_t size = 1u << 2;
inline constexpr std::uint32_t vrfy = 1u << 3;
inline constexpr std::uint32_t etrn = 1u << 4;
inline constexpr std::uint32_t auth = 1u << 5;
inline constexpr std::uint32_t verp = 1u << 6;
inline constexpr std::uint32_t starttls = 1u << 7;
inline constexpr std::uint32_t xclient = 1u << 8;
inline constexpr std::uint32_t xforward = 1u << 9;
inline constexpr std::uint32_t enhancedstatuscodes = 1u << 10;
inline constexpr std::uint32_t dsn = 1u << 11;
inline constexpr std::uint32_t smtputf8 = 1u << 12;
inline constexpr std::uint32_t chunking = 1u << 13;
inline constexpr std::uint32_t silent = 1u << 31; // silent-discard: do not log
} // namespace ehlo

// Words separated by commas or white space; unknown ones are passed over. Case does not matter.
std::uint32_t parse_ehlo_keywords(std::string_view words);
std::string ehlo_keyword_names(std::uint32_t keywords);

} // namespace facteur::smtp
