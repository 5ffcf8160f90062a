#include "table/replacement.h"

#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>

namespace facteur::table {
namespace {

bool is_name_character(char c)
{
    return text::is_alnum(c) || c == '_';
}

// The name after a "$" at text[0], and how much of the text it took, "$" included; 0 when it never ends.
struct Reference {
    std::string_view name;
    std::size_t length = 0;
};
Reference take_reference(std::string_view text)
{
    const char open = text.size() > 1 ? text[1] : '\0';
    if (open == '{' || open == '(') {
        const char close = open == '{' ? '}' : ')';
        int depth = 0;
        for (std::size_t i = 1; i < text.size(); ++i) {
            depth += text[i] == open ? 1 : text[i] == close ? -1 : 0;
            if (depth == 0)
                return {text.substr(2, i - 2), i + 1};
        }
        return {};
    }
    std::size_t end = 1;
    while (end < text.size() && is_name_character(text[end]))
        ++end;
    return {text.substr(1, end - 1), end};
}

std::expected<int, std::string> parse_index(std::string_view name, std::string_view index_range)
{
    constexpr int kMost = 9999;
    if (!std::ranges::all_of(name, text::is_digit))
        return std::unexpected(fmt::format("non-numeric replacement index \"{}\"", name));
    const auto index = text::to_long(name);
    if (!index || *index < 1 || *index > kMost)
        return std::unexpected(fmt::format("{} replacement index \"{}\"", index_range, name));
    return static_cast<int>(*index);
}

} // namespace

std::expected<Replacement, Replacement::Error> Replacement::parse(std::string_view text, std::string_view index_range)
{
    Replacement out;
    out.pieces_.emplace_back();
    for (std::size_t at = 0; at < text.size();) {
        if (text[at] != '$') {
            out.pieces_.back().literal += text[at++];
            continue;
        }
        if (text.substr(at).starts_with("$$")) {
            out.pieces_.back().literal += '$';
            at += 2;
            continue;
        }
        const Reference reference = take_reference(text.substr(at));
        if (reference.length == 0)
            return std::unexpected(Error{fmt::format("truncated macro reference: \"{}\"", text), false});
        if (reference.name.empty())
            return std::unexpected(Error{fmt::format("empty macro name: \"{}\"", text), false});
        const auto index = parse_index(reference.name, index_range);
        if (!index)
            return std::unexpected(Error{index.error(), true});
        out.pieces_.back().group = *index;
        out.highest_group_ = std::max(out.highest_group_, *index);
        out.pieces_.emplace_back();
        at += reference.length;
    }
    return out;
}

std::string Replacement::expand(std::string_view key, const Groups& groups) const
{
    std::string out;
    for (const Piece& piece : pieces_) {
        out += piece.literal;
        const auto index = static_cast<std::size_t>(piece.group);
        if (index == 0 || index >= groups.size())
            continue;
        const auto [start, end] = groups[index];
        if (start >= 0 && end >= start && static_cast<std::size_t>(end) <= key.size())
            out += key.substr(static_cast<std::size_t>(start), static_cast<std::size_t>(end - start));
    }
    return out;
}

} // namespace facteur::table
