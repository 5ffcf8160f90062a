// What the text of a number, a boolean or a time means. Errors are Postfix's words.
#pragma once

#include "config/parameter.h"

#include <expected>
#include <string>
#include <string_view>

namespace facteur::config {

// A value of a parameter, checked against its bounds. `name` is what messages call it (a suffixed name follows the
// bounds of the parameter it falls back to). Times come as seconds.
std::expected<long, std::string> parse_integer(std::string_view name, std::string_view text,
                                               const ParameterBase& bounds);
std::expected<bool, std::string> parse_boolean(std::string_view name, std::string_view text);
std::expected<long, std::string> parse_time(std::string_view name, std::string_view text, const ParameterBase& bounds);

// The right one of these by the parameter's type; a string is checked for its length. An error text, or empty.
std::string check_value(std::string_view name, std::string_view text, const ParameterBase& parameter);

} // namespace facteur::config
