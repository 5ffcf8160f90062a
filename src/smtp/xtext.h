// xtext of RFC 3461 s4 (ENVID, ORCPT, XCLIENT, XFORWARD) and its relative for utf-8 addresses of RFC 6533 s3.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace facteur::smtp {

std::string xtext_encode(std::string_view text);
std::optional<std::string> xtext_decode(std::string_view text); // nothing on "+" without two upper-case hex digits

// "\x{E9}" forms become UTF-8; plain UTF-8 is taken as it is.
std::optional<std::string> unitext_decode(std::string_view text);

} // namespace facteur::smtp
