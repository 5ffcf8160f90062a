// "service/type/field" on the command line, where "*" and what is left out match anything.
#pragma once

#include <array>
#include <expected>
#include <string>
#include <string_view>

namespace facteur::postconf {

struct RawEntry;

struct Pattern {
    std::array<std::string, 3> parts{"*", "*", "*"};
    std::size_t given = 0;
    bool used = false;
    std::string text; // as written

    [[nodiscard]] bool matches(const RawEntry& entry) const;
    [[nodiscard]] bool matches_third(std::string_view name) const { return parts[2] == "*" || parts[2] == name; }

    // Nothing when there are fewer than at_least or more than at_most parts, or the first is empty.
    static std::expected<Pattern, std::string> parse(std::string_view text, std::size_t at_least, std::size_t at_most,
                                                     std::string_view error);
};

} // namespace facteur::postconf
