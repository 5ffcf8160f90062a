// Is it a host name, is it an address literal? Sources: RFC 1123 s2.1, RFC 5321 s4.1.3.
#pragma once

#include <optional>
#include <string_view>

namespace facteur::smtpd {

// Letters, digits, hyphens, underscores and dots in sound order; not all digits; 255 bytes at most, 63 a label.
bool valid_hostname(std::string_view name);
bool valid_address(std::string_view text); // IPv4 or IPv6, without brackets
// The address in "[192.0.2.1]" or "[IPv6:2001:db8::1]".
std::optional<std::string_view> literal_address(std::string_view literal);
// Without one dot at the end ("host." but not "host..").
std::string_view without_final_dot(std::string_view name);

} // namespace facteur::smtpd
