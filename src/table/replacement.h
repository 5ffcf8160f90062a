// The result side of a regexp or pcre rule: text with $1, ${1} or $(1) in it, $$ for a dollar sign.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::table {

// Start and end of each group in the key, whole match first; {-1, -1} for one that took no part.
using Groups = std::vector<std::pair<long, long>>;

class Replacement {
public:
    // `index_range`: how the dialect words an index below 1 ("out of range" or "out-of-range").
    struct Error {
        std::string text;
        bool about_rule; // the message belongs behind the rule's file and line
    };
    static std::expected<Replacement, Error> parse(std::string_view text, std::string_view index_range);

    [[nodiscard]] int highest_group() const { return highest_group_; } // 0: no group is used
    [[nodiscard]] std::string expand(std::string_view key, const Groups& groups) const;

private:
    struct Piece {
        std::string literal;
        int group = 0; // after the literal; 0 for none
    };
    std::vector<Piece> pieces_;
    int highest_group_ = 0;
};

} // namespace facteur::table
