// ASCII text: the locale never matters to a mail protocol.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::text {

constexpr char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}
constexpr char upper(char c)
{
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
}
constexpr bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}
constexpr bool is_alpha(char c)
{
    return lower(c) >= 'a' && lower(c) <= 'z';
}
constexpr bool is_alnum(char c)
{
    return is_digit(c) || is_alpha(c);
}
constexpr bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}
constexpr bool is_printable(char c)
{
    return c >= 32 && c < 127;
}
constexpr bool is_ascii(char c)
{
    return static_cast<unsigned char>(c) < 128;
}

bool iequals(std::string_view a, std::string_view b);
bool istarts_with(std::string_view text, std::string_view prefix);
bool iends_with(std::string_view text, std::string_view suffix);
std::string to_lower(std::string_view text);
std::string to_upper(std::string_view text);
std::string_view trim(std::string_view text);
bool all_ascii(std::string_view text);
bool valid_utf8(std::string_view text); // RFC 3629: no surrogates, no overlong forms

// Parts between any of the separators; empty parts are left out.
std::vector<std::string_view> split(std::string_view text, std::string_view separators);

// A list as main.cf writes it: separators are comma and white space, and "{ ... }" is one element, without its
// outer braces and the space inside them. An unclosed brace runs to the end.
std::vector<std::string_view> split_list(std::string_view text, std::string_view separators = ", \t\r\n");

// The whole text as a decimal number that fits; nothing otherwise.
std::optional<long> to_long(std::string_view text);

// Every character outside printable ASCII (or outside valid UTF-8 when allow_utf8) becomes '?'. For logs and replies.
enum class Utf8 { refuse, allow };
std::string printable(std::string_view text, Utf8 utf8 = Utf8::refuse);

// Case-insensitive order for maps keyed by names.
struct ILess {
    using is_transparent = void;
    bool operator()(std::string_view a, std::string_view b) const;
};

} // namespace facteur::text
