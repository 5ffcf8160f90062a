#include "table/braces.h"

#include "base/text.h"

#include <fmt/format.h>

namespace facteur::table {

std::size_t balanced_braces(std::string_view text)
{
    int depth = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '{')
            ++depth;
        else if (text[i] == '}' && --depth == 0)
            return i + 1;
        if (depth == 0)
            return 0;
    }
    return 0;
}

std::expected<std::string_view, std::string> strip_braces(std::string_view text)
{
    if (!text.starts_with('{'))
        return std::unexpected(fmt::format("no '{{' at start of text in \"{}\"", text));
    const auto length = balanced_braces(text);
    if (length == 0)
        return std::unexpected(fmt::format("missing '}}' in \"{}\"", text));
    if (!text::trim(text.substr(length)).empty())
        return std::unexpected(fmt::format("syntax error after '}}' in \"{}\"", text));
    return text::trim(text.substr(1, length - 2));
}

std::vector<std::string_view> split_braced(std::string_view text)
{
    constexpr std::string_view kSeparators = ", \t\r\n";
    std::vector<std::string_view> parts;
    for (;;) {
        const auto start = text.find_first_not_of(kSeparators);
        if (start == text.npos)
            return parts;
        text.remove_prefix(start);
        std::size_t end = 0;
        int depth = 0;
        for (; end < text.size() && (depth > 0 || kSeparators.find(text[end]) == kSeparators.npos); ++end) {
            if (text[end] == '{')
                ++depth;
            else if (text[end] == '}' && depth > 0)
                --depth;
        }
        parts.push_back(text.substr(0, end));
        text.remove_prefix(end);
    }
}

std::vector<std::string_view> braced_list(std::string_view text)
{
    const auto length = balanced_braces(text);
    if (length < 2 || length != text.size())
        return {};
    return split_braced(text.substr(1, length - 2));
}

} // namespace facteur::table
