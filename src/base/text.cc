#include "base/text.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

namespace facteur::text {

bool iequals(std::string_view a, std::string_view b)
{
    return a.size() == b.size() &&
           std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

bool istarts_with(std::string_view text, std::string_view prefix)
{
    return text.size() >= prefix.size() && iequals(text.substr(0, prefix.size()), prefix);
}

bool iends_with(std::string_view text, std::string_view suffix)
{
    return text.size() >= suffix.size() && iequals(text.substr(text.size() - suffix.size()), suffix);
}

std::string to_lower(std::string_view text)
{
    std::string out(text);
    std::ranges::transform(out, out.begin(), lower);
    return out;
}

std::string to_upper(std::string_view text)
{
    std::string out(text);
    std::ranges::transform(out, out.begin(), upper);
    return out;
}

std::string_view trim(std::string_view text)
{
    while (!text.empty() && is_space(text.front()))
        text.remove_prefix(1);
    while (!text.empty() && is_space(text.back()))
        text.remove_suffix(1);
    return text;
}

bool all_ascii(std::string_view text)
{
    return std::ranges::all_of(text, is_ascii);
}

namespace {

// Length of the valid UTF-8 sequence at the front of text, 0 when there is none (RFC 3629 s4).
std::size_t utf8_sequence(std::string_view text)
{
    const auto at = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
    const auto lead = at(0);
    if (lead < 0x80)
        return 1;
    const std::size_t length = lead >= 0xc2 && lead < 0xe0   ? 2
                               : lead >= 0xe0 && lead < 0xf0 ? 3
                               : lead >= 0xf0 && lead < 0xf5 ? 4
                                                             : 0;
    if (length == 0 || text.size() < length)
        return 0;
    for (std::size_t i = 1; i < length; ++i)
        if ((at(i) & 0xc0) != 0x80)
            return 0;
    if ((lead == 0xe0 && at(1) < 0xa0) || (lead == 0xed && at(1) > 0x9f) || (lead == 0xf0 && at(1) < 0x90) ||
        (lead == 0xf4 && at(1) > 0x8f))
        return 0;
    return length;
}

} // namespace

bool valid_utf8(std::string_view text)
{
    while (!text.empty()) {
        const auto length = utf8_sequence(text);
        if (length == 0)
            return false;
        text.remove_prefix(length);
    }
    return true;
}

std::vector<std::string_view> split(std::string_view text, std::string_view separators)
{
    std::vector<std::string_view> parts;
    for (;;) {
        const auto start = text.find_first_not_of(separators);
        if (start == text.npos)
            return parts;
        text.remove_prefix(start);
        const auto end = std::min(text.find_first_of(separators), text.size());
        parts.push_back(text.substr(0, end));
        text.remove_prefix(end);
    }
}

std::vector<std::string_view> split_list(std::string_view text, std::string_view separators)
{
    std::vector<std::string_view> parts;
    for (;;) {
        const auto start = text.find_first_not_of(separators);
        if (start == text.npos)
            return parts;
        text.remove_prefix(start);
        std::size_t end = 0;
        int depth = 0;
        for (; end < text.size(); ++end) {
            if (text[end] == '{')
                ++depth;
            else if (text[end] == '}' && depth > 0)
                --depth;
            else if (depth == 0 && separators.find(text[end]) != separators.npos)
                break;
        }
        auto part = text.substr(0, end);
        text.remove_prefix(end);
        if (part.size() >= 2 && part.front() == '{' && part.back() == '}')
            part = trim(part.substr(1, part.size() - 2));
        parts.push_back(part);
    }
}

std::optional<long> to_long(std::string_view text)
{
    long value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || text.empty())
        return std::nullopt;
    return value;
}

std::string printable(std::string_view text, Utf8 utf8)
{
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const auto length = utf8 == Utf8::allow ? utf8_sequence(text) : (is_ascii(text.front()) ? 1U : 0U);
        if (length > 1 || (length == 1 && is_printable(text.front())))
            out.append(text.substr(0, length));
        else
            out.push_back('?');
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return out;
}

bool ILess::operator()(std::string_view a, std::string_view b) const
{
    return std::ranges::lexicographical_compare(a, b, {}, lower, lower);
}

} // namespace facteur::text
