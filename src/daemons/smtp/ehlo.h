// What a server says of itself: its greeting and its EHLO reply. Pure. Source: RFC 5321 s4.1.1.1 and the extensions.
#pragma once

#include "daemons/smtp/settings.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace facteur::smtp_client {

// Attributes that XFORWARD takes.
namespace xforward {
inline constexpr std::uint32_t name = 1;
inline constexpr std::uint32_t address = 2;
inline constexpr std::uint32_t port = 4;
inline constexpr std::uint32_t protocol = 8;
inline constexpr std::uint32_t helo = 16;
inline constexpr std::uint32_t ident = 32;
inline constexpr std::uint32_t source = 64;
} // namespace xforward

struct Greeting {
    std::string_view host;
    bool esmtp = false;
    bool hidden = false; // only asterisks, 2s and 0s: a PIX firewall
};
Greeting greeted_by(std::string_view reply_text);

struct ServerFeatures {
    std::string host;
    std::uint32_t bits = 0; // feature::
    std::uint32_t xforward_bits = 0;
    std::uint64_t size_limit = 0;              // 0: none told
    std::optional<std::string> bad_size_limit; // for a warning

    [[nodiscard]] bool has(std::uint32_t bit) const { return (bits & bit) != 0; }
};
ServerFeatures parse_ehlo(std::string_view reply_text);

} // namespace facteur::smtp_client
