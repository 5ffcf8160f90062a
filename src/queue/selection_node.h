// A parsed selection as a tree, and the regular expressions in it. Inside of selection.h; nobody else includes it.
#pragma once

#include "queue/selection.h"

#include <vector>

namespace facteur::queue {

class Pattern {
public:
    struct Problem {
        std::size_t offset; // into the expression
        std::string text;
    };
    static std::expected<std::shared_ptr<const Pattern>, Problem> compile(std::string_view expression);
    // unknown: it took more steps than we give it.
    [[nodiscard]] Truth matches(std::string_view text) const;
    ~Pattern();
    Pattern(const Pattern&) = delete;
    Pattern& operator=(const Pattern&) = delete;

private:
    Pattern() = default;
    void* code_ = nullptr;   // pcre2_code
    void* match_ = nullptr;  // pcre2_match_data
    void* limits_ = nullptr; // pcre2_match_context
};

enum class Comparison { equal, not_equal, like, unlike, less, at_most, more, at_least };

struct Selection::Node {
    enum class Kind { term, all, any, negation };
    Kind kind = Kind::term;
    std::vector<Node> children;
    // A term.
    Field field = Field::id;
    Comparison comparison = Comparison::equal;
    std::size_t offset = 0; // of the field's name
    std::string value;
    std::int64_t number = 0;
    std::shared_ptr<const Pattern> pattern;

    int cost = 0; // of the dearest field below
};

} // namespace facteur::queue
