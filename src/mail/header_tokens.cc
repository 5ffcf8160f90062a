#include "mail/header_tokens.h"

#include <algorithm>
#include <utility>

namespace facteur::mail {
namespace {

constexpr std::string_view kSpecials = "()<>@,;:\\\".[]";
constexpr std::string_view kOperators = "!%";

bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}
bool ends_atom(char c)
{
    return is_blank(c) || (c != '\\' && (kSpecials.find(c) != kSpecials.npos || kOperators.find(c) != kOperators.npos));
}

class TokenScanner {
public:
    TokenScanner(std::string_view text, std::size_t limit) : text_(text), limit_(limit) {}

    std::vector<Token> run()
    {
        while (tokens_.size() < limit_) {
            while (!at_end() && is_blank(text_[at_]))
                ++at_;
            if (at_end())
                break;
            take_token();
        }
        return std::move(tokens_);
    }

private:
    [[nodiscard]] bool at_end() const { return at_ >= text_.size(); }
    Token& add(TokenType type)
    {
        tokens_.emplace_back().type = type;
        return tokens_.back();
    }

    void take_token()
    {
        switch (text_[at_]) {
        case '"':
            return take_quoted();
        case '(':
            return take_comment();
        case '[':
            return take_literal();
        default:
            break;
        }
        if (ends_atom(text_[at_]))
            add(TokenType::special).special = text_[at_++];
        else
            take_atom();
    }

    // A line end inside a quoted string or comment is one space; so is a tab.
    char take_char()
    {
        if (text_[at_] == '\r' && at_ + 1 < text_.size() && text_[at_ + 1] == '\n')
            ++at_;
        const char c = text_[at_++];
        return is_blank(c) ? ' ' : c;
    }
    // False for a backslash that nothing follows.
    bool skip_backslash()
    {
        if (text_[at_] == '\\')
            ++at_;
        return !at_end();
    }

    void take_quoted()
    {
        std::string& out = add(TokenType::quoted).text;
        for (++at_; !at_end() && text_[at_] != '"';)
            if (skip_backslash())
                out += take_char();
        if (!at_end())
            ++at_;
    }
    void take_comment()
    {
        std::string& out = add(TokenType::comment).text;
        int depth = 0;
        while (!at_end()) {
            const char c = text_[at_];
            out += take_char();
            if (c == '\\' && !at_end())
                out += take_char();
            else if (c == '(')
                ++depth;
            else if (c == ')' && --depth == 0)
                break;
        }
    }
    void take_literal()
    {
        std::string& out = add(TokenType::literal).text;
        for (; !at_end() && text_[at_] != ']';)
            if (skip_backslash())
                out += take_char();
        out += ']';
        if (!at_end())
            ++at_;
    }
    void take_atom()
    {
        Token& token = add(TokenType::atom);
        bool escaped = false;
        while (!at_end() && !ends_atom(text_[at_])) {
            escaped |= text_[at_] == '\\';
            if (skip_backslash())
                token.text += take_char();
        }
        // What a backslash protected needs quotes when it is written again.
        if (escaped &&
            (token.text.empty() || std::ranges::any_of(token.text, [](char c) { return c == '\\' || ends_atom(c); })))
            token.type = TokenType::quoted;
    }

    std::string_view text_;
    std::size_t limit_;
    std::size_t at_ = 0;
    std::vector<Token> tokens_;
};

// Works from the last token to the first. `done_` and `pending_` are in reverse order; `pending_` is the address being
// gathered, `done_` all that stands to its right.
class Gatherer {
public:
    explicit Gatherer(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

    std::vector<Token> run()
    {
        while (!tokens_.empty())
            step();
        close_address(MissingComma::leave);
        std::ranges::reverse(done_);
        return std::move(done_);
    }

private:
    enum class MissingComma : std::uint8_t { leave, add };

    Token take()
    {
        Token token = std::move(tokens_.back());
        tokens_.pop_back();
        return token;
    }
    void keep() { done_.push_back(take()); }
    void collect() { pending_.push_back(take()); }

    void close_address(MissingComma comma)
    {
        if (pending_.empty())
            return;
        std::ranges::reverse(pending_);
        done_.push_back(Token{TokenType::address, '\0', {}, std::move(pending_)});
        pending_.clear();
        if (comma == MissingComma::add)
            done_.push_back(Token{TokenType::special, ',', {}, {}});
    }

    void step()
    {
        const Token& token = tokens_.back();
        if (token.type == TokenType::comment) {
            keep(); // to the right of the address it stands in
        } else if (token.is(';')) {
            close_address(MissingComma::add);
            keep();
            in_group_ = word_may_follow_ = true;
        } else if (token.is(':') && in_group_) {
            group_name();
        } else if (token.is('>')) {
            route_address();
        } else if (token.is(',')) {
            close_address(MissingComma::leave);
            keep();
            word_may_follow_ = true;
        } else if (token.type == TokenType::special) {
            collect();
            word_may_follow_ = true;
        } else {
            if (!word_may_follow_)
                close_address(MissingComma::add); // two words with nothing between
            collect();
            word_may_follow_ = false;
        }
    }

    void group_name()
    {
        close_address(MissingComma::leave);
        keep();
        done_.back().type = TokenType::group_start;
        while (!tokens_.empty() && !tokens_.back().is(','))
            keep();
    }

    // "phrase <address>": the phrase is no address, and goes on to the next thing that can end one.
    void route_address()
    {
        close_address(MissingComma::add);
        keep();
        while (!tokens_.empty() && !tokens_.back().is('<'))
            tokens_.back().type == TokenType::comment ? keep() : collect();
        close_address(MissingComma::leave);
        const auto ends_phrase = [](const Token& t) { return t.is('>') || t.is(';') || t.is(',') || t.is(':'); };
        while (!tokens_.empty() && !ends_phrase(tokens_.back()))
            keep();
        if (!tokens_.empty() && tokens_.back().is(':') && !in_group_)
            keep();
        word_may_follow_ = true;
    }

    std::vector<Token> tokens_; // not looked at yet
    std::vector<Token> pending_;
    std::vector<Token> done_;
    bool in_group_ = false;
    bool word_may_follow_ = true;
};

void append_special(std::string& out, char c)
{
    if (c == '<' && !out.empty() && out.back() != ' ')
        out += ' ';
    out += c;
    if (c == ',')
        out += ' ';
}

} // namespace

std::vector<Token> scan_header_tokens(std::string_view value, std::size_t limit)
{
    return TokenScanner{value, limit}.run();
}

std::vector<Token> gather_addresses(std::vector<Token> tokens)
{
    return Gatherer{std::move(tokens)}.run();
}

std::string external_text(const std::vector<Token>& parts)
{
    std::string out;
    for (const Token& part : parts) {
        if (part.type == TokenType::special) {
            append_special(out, part.special);
        } else if (part.type == TokenType::quoted) {
            out += '"';
            for (const char c : part.text) {
                if (c == '"' || c == '\\' || c == '\r')
                    out += '\\';
                out += c;
            }
            out += '"';
        } else {
            out += part.text;
        }
    }
    return out;
}

std::string internal_text(const std::vector<Token>& parts)
{
    auto first = parts.begin();
    if (first != parts.end() && first->is('@')) {
        const auto colon = std::ranges::find_if(parts, [](const Token& t) { return t.is(':'); });
        if (colon != parts.end())
            first = colon + 1;
    }
    std::string out;
    for (; first != parts.end(); ++first)
        if (first->type == TokenType::special)
            append_special(out, first->special);
        else
            out += first->text;
    return out;
}

} // namespace facteur::mail
