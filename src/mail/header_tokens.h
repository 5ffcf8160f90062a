// The address headers' grammar as it is met in the wild: RFC 5322 s3.4 with every error forgiven.
//
// A value is cut into tokens from left to right, then gathered into addresses from right to left, because a '>' or ';'
// tells what kind of thing stands before it. Nothing is thrown away: what makes no sense stays as it is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::mail {

enum class TokenType : std::uint8_t {
    special,     // one of ()<>@,;:.!% in Token::special
    atom,        // backslashes undone
    quoted,      // quoted string, quotes and backslashes undone
    comment,     // with its parentheses, as written
    literal,     // domain literal with its brackets
    group_start, // the ':' after a group's name
    address,     // made of `parts`
};

struct Token {
    TokenType type = TokenType::special;
    char special = '\0';
    std::string text;
    std::vector<Token> parts;

    [[nodiscard]] bool is(char c) const { return type == TokenType::special && special == c; }
    [[nodiscard]] bool is_word() const { return type != TokenType::special && type != TokenType::group_start; }
};

// At most `limit` tokens; the rest of the text is left out.
std::vector<Token> scan_header_tokens(std::string_view value, std::size_t limit);

// Addresses gathered, missing commas added.
std::vector<Token> gather_addresses(std::vector<Token> tokens);

std::string external_text(const std::vector<Token>& parts); // of an address: quoted strings quoted
std::string internal_text(const std::vector<Token>& parts); // quotes off, source route taken off

} // namespace facteur::mail
