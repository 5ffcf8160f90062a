// "{ ... }" in table names: inline:{a=b}, pcre:{{/x/ y}}, unionmap:{type:name, ...}.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::table {

// Length of the balanced "{...}" at the front of text; 0 when there is none.
std::size_t balanced_braces(std::string_view text);

// The inside of a text that is one "{...}", trimmed. Errors in Postfix's words: "missing '}' in ...".
std::expected<std::string_view, std::string> strip_braces(std::string_view text);

// Elements between commas and white space; braces group, and stay.
std::vector<std::string_view> split_braced(std::string_view text);

// The elements of "{a, b}"; nothing when the text is not that or holds no element.
std::vector<std::string_view> braced_list(std::string_view text);

} // namespace facteur::table
