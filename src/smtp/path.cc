#include "smtp/path.h"

#include "base/text.h"

#include <vector>

namespace facteur::smtp {

namespace {

enum class Kind { word, special, open, close };
struct Token {
    Kind kind;
    char special = 0; // for Kind::special
    std::string text; // what it adds to the internal form
};

constexpr std::string_view kSpecials = "()<>@,;:\\\".[]";

// Copies a quoted string's content (or a domain literal with its brackets) unquoted; false when it does not end.
bool take_delimited(std::string_view text, std::size_t& at, char close, std::string& into)
{
    while (at < text.size()) {
        char c = text[at++];
        if (c == close)
            return true;
        if (c == '\\' && at < text.size())
            c = text[at++];
        into += c;
    }
    return false;
}

bool skip_comment(std::string_view text, std::size_t& at)
{
    for (int depth = 1; at < text.size();) {
        const char c = text[at++];
        if (c == '\\')
            ++at;
        else if (c == '(')
            ++depth;
        else if (c == ')' && --depth == 0)
            return true;
    }
    return false;
}

// RFC 822 lexical tokens.
std::optional<std::vector<Token>> scan(std::string_view text)
{
    std::vector<Token> tokens;
    for (std::size_t at = 0; at < text.size();) {
        const char c = text[at++];
        if (text::is_space(c))
            continue;
        if (c == '(') {
            if (!skip_comment(text, at))
                return std::nullopt;
        } else if (c == '<' || c == '>') {
            tokens.push_back({c == '<' ? Kind::open : Kind::close, c, {}});
        } else if (c == '"') {
            std::string quoted;
            if (!take_delimited(text, at, '"', quoted))
                return std::nullopt;
            tokens.push_back({Kind::word, 0, std::move(quoted)});
        } else if (c == '[') {
            std::string literal = "[";
            if (!take_delimited(text, at, ']', literal))
                return std::nullopt;
            tokens.push_back({Kind::word, 0, literal + ']'});
        } else if (kSpecials.find(c) != kSpecials.npos && c != '\\') {
            tokens.push_back({Kind::special, c, std::string(1, c)});
        } else {
            std::string atom;
            for (--at; at < text.size(); ++at) {
                if (text[at] == '\\' && at + 1 < text.size())
                    ++at;
                else if (text::is_space(text[at]) || kSpecials.find(text[at]) != kSpecials.npos)
                    break;
                atom += text[at];
            }
            if (atom.empty()) // a lone backslash at the end
                return std::nullopt;
            tokens.push_back({Kind::word, 0, std::move(atom)});
        }
    }
    return tokens;
}

// "@a,@b:" before the address: where what follows the colon begins, or 0.
std::size_t route_length(const std::vector<Token>& tokens, std::size_t first, std::size_t last)
{
    if (first == last || tokens[first].special != '@')
        return 0;
    for (std::size_t i = first; i < last; ++i)
        if (tokens[i].special == ':')
            return i + 1 - first;
    return 0;
}

std::optional<std::string> join_address(const std::vector<Token>& tokens, std::size_t first, std::size_t last)
{
    first += route_length(tokens, first, last);
    std::string address;
    bool after_word = false;
    for (std::size_t i = first; i < last; ++i) {
        const Token& token = tokens[i];
        const bool is_word = token.kind == Kind::word;
        if (is_word && after_word)
            return std::nullopt;
        if (!is_word && token.special != '@' && token.special != '.')
            return std::nullopt;
        after_word = is_word;
        address += token.text;
    }
    return address;
}

} // namespace

std::optional<std::string> parse_path(std::string_view word, PathSyntax syntax)
{
    const auto tokens = scan(word);
    if (!tokens)
        return std::nullopt;
    std::size_t first = 0;
    std::size_t last = tokens->size();
    for (std::size_t i = 0; i < tokens->size(); ++i) {
        if ((*tokens)[i].kind != Kind::open)
            continue;
        first = i + 1;
        for (last = first; last < tokens->size() && (*tokens)[last].kind != Kind::close; ++last)
            if ((*tokens)[last].kind == Kind::open)
                return std::nullopt;
        if (last == tokens->size())
            return std::nullopt;
        for (std::size_t j = last + 1; j < tokens->size(); ++j)
            if ((*tokens)[j].kind != Kind::close)
                return std::nullopt;
        break;
    }
    const bool bracketed = first > 0;
    const bool bare = bracketed && first == 1 && last + 1 == tokens->size() && word.starts_with('<');
    if (syntax == PathSyntax::strict && !bare)
        return std::nullopt;
    if (!bracketed && tokens->empty())
        return std::nullopt;
    auto address = join_address(*tokens, first, last);
    if (address && syntax == PathSyntax::strict && address->starts_with('@'))
        return std::nullopt;
    return address;
}

bool plain_address(std::string_view internal)
{
    const auto at = internal.find('@');
    if (at == internal.npos || at == 0 || internal.size() > 320 || internal[0] == '-' || internal[0] == '.' ||
        internal[at - 1] == '.')
        return false;
    for (std::size_t i = 0; i < at; ++i) {
        const char c = internal[i];
        if (!text::is_alnum(c) && c != '.' && c != '-' && c != '_' && c != '+' && c != '=')
            return false;
        if (c == '.' && internal[i + 1] == '.')
            return false;
    }
    // A host name of two labels or more, none empty or beginning or ending with a hyphen, not all digits at the end.
    std::string_view domain = internal.substr(at + 1);
    std::size_t labels = 0;
    std::string_view label;
    while (!domain.empty()) {
        const auto dot = domain.find('.');
        label = domain.substr(0, dot);
        if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-')
            return false;
        for (const char c : label)
            if (!text::is_alnum(c) && c != '-' && c != '_')
                return false;
        ++labels;
        if (dot == domain.npos)
            break;
        domain.remove_prefix(dot + 1);
        if (domain.empty())
            return false; // "user@host."
    }
    return labels >= 2 && text::is_alpha(label.back());
}

} // namespace facteur::smtp
