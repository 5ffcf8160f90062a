// Enough JSON to print answers: values that are text already, put together.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace facteur::postfix_command {

// In quotes, escaped; bytes that are not UTF-8 become '?'.
std::string json_string(std::string_view text);
std::string json_boolean(bool value);

using JsonMembers = std::vector<std::pair<std::string_view, std::string>>; // values as JSON
std::string json_object(const JsonMembers& members);
std::string json_array(const std::vector<std::string>& values);

} // namespace facteur::postfix_command
