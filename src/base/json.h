// Text as JSON writes it.
#pragma once

#include <string>
#include <string_view>

namespace facteur {

// A JSON string with its quotes. JSON must be UTF-8: in a text that is not, every byte outside printable ASCII is
// shown as '?'.
std::string json_string(std::string_view text);

} // namespace facteur
