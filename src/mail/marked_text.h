// An address without its quotes, that still knows which characters were quoted: only the others are operators.
#pragma once

#include "mail/rewrite.h"

#include <string>
#include <string_view>

namespace facteur::mail {

class MarkedText {
public:
    static constexpr std::size_t npos = std::string::npos;

    // External form: what quotes, backslashes or brackets protect is marked.
    static MarkedText from_external(std::string_view external);
    // Internal form: nothing is marked but a domain literal.
    static MarkedText from_internal(std::string_view internal);

    [[nodiscard]] const std::string& text() const { return text_; }
    [[nodiscard]] bool empty() const { return text_.empty(); }
    [[nodiscard]] bool is_operator(std::size_t at) const { return at < marks_.size() && marks_[at] == kPlain; }
    [[nodiscard]] std::size_t find(char c, std::size_t from = 0) const;
    [[nodiscard]] std::size_t rfind(char c) const;
    [[nodiscard]] bool is_lone_at() const { return text_ == "@" && is_operator(0) && !quoted_; } // not ""@
    [[nodiscard]] bool ends_with_literal() const
    {
        return !text_.empty() && text_.back() == ']' && !is_operator(text_.size() - 1);
    }

    void append(std::string_view plain);
    void erase(std::size_t from, std::size_t count = npos);
    void set_operator(std::size_t at, char c);
    void swap_around(std::size_t at, char between); // "a!b" at the '!' -> "b@a"

    [[nodiscard]] std::string external() const;

private:
    static constexpr char kPlain = '.';
    static constexpr char kProtected = 'q';
    void add(char c, char mark);

    std::string text_;
    std::string marks_;   // one for each character of text_
    bool quoted_ = false; // there were quotes, with nothing in them maybe
};

// Source route, bang path and percent hack undone, then the address completed, as rewrite() says. `complete` false
// leaves a user without a domain alone.
enum class Complete : bool { domain_only, all };
void rewrite_marked(MarkedText& address, RewriteContext context, const RewriteSettings& settings, Complete complete);

// Takes off the dot at the end, but not of ".." or "@.".
void strip_final_dot(MarkedText& address);

} // namespace facteur::mail
