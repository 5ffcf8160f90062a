// Domain names between their UTF-8 and ASCII ("xn--") forms (RFC 5891, UTS #46 without transitional mapping).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace facteur::config {

std::optional<std::string> domain_to_ascii(std::string_view domain);
std::optional<std::string> domain_to_utf8(std::string_view domain);

} // namespace facteur::config
