#include "tools/postfix/json.h"

#include "base/text.h"

#include <fmt/ranges.h>

namespace facteur::postfix_command {

std::string json_string(std::string_view text)
{
    std::string out = "\"";
    for (const char c : text::printable(text, text::Utf8::allow)) {
        if (c == '"' || c == '\\')
            out += '\\';
        out += c;
    }
    return out + '"';
}

std::string json_boolean(bool value)
{
    return value ? "true" : "false";
}

std::string json_object(const JsonMembers& members)
{
    std::vector<std::string> parts;
    for (const auto& [name, value] : members)
        parts.push_back(json_string(name) + ": " + value);
    return fmt::format("{{{}}}", fmt::join(parts, ", "));
}

std::string json_array(const std::vector<std::string>& values)
{
    return fmt::format("[{}]", fmt::join(values, ", "));
}

} // namespace facteur::postfix_command
