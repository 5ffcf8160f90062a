// Address headers read and written: the public face of header_tokens.h.
#include "mail/address.h"
#include "mail/header_tokens.h"

#include <utility>

namespace facteur::mail {
namespace {

constexpr std::size_t kFoldColumn = 70;

// The value as it is written after a change: commas end lines here, fold() joins them again as far as they fit.
std::string format(const std::vector<Token>& tokens)
{
    std::string out;
    const Token* before = nullptr;
    for (const Token& token : tokens) {
        if (before != nullptr && before->is_word() && token.is_word())
            out += ' ';
        if (token.is(','))
            out += ",\n";
        else if (token.is('<') && !out.empty() && out.back() != ' ' && out.back() != '\n')
            out += " <";
        else if (token.type == TokenType::special)
            out += token.special;
        else if (token.type == TokenType::group_start)
            out += ": ";
        else if (token.type == TokenType::address)
            out += token.text;
        else
            out += external_text({token});
        before = &token;
    }
    return out;
}

std::string fold(std::string_view lines, std::size_t first_column)
{
    std::string out;
    out.reserve(lines.size() + 16);
    std::size_t column = first_column;
    for (bool first = true;; first = false) {
        const auto end = lines.find('\n');
        const std::string_view line = lines.substr(0, end);
        if (first) {
            column += line.size();
        } else if (column + 1 + line.size() < kFoldColumn) {
            out += ' ';
            column += 1 + line.size();
        } else {
            out += "\r\n\t";
            column = line.size();
        }
        out += line;
        if (end == lines.npos)
            return out;
        lines.remove_prefix(end + 1);
    }
}

// Sets the address's text to its external form, changed or not.
bool rewrite_address(Token& address, const AddressRewriter& rewriter)
{
    address.text = external_text(address.parts);
    bool changed = false;
    if (rewriter.complete) {
        std::string completed = rewriter.complete(address.text);
        changed = completed != address.text;
        address.text = std::move(completed);
    }
    if (rewriter.map) {
        const std::string internal = to_internal(address.text);
        const std::string mapped = rewriter.map(internal);
        if (mapped != internal) {
            address.text = to_external(mapped);
            changed = true;
        }
    }
    if (address.text.empty())
        address.text = "\"\"";
    return changed;
}

} // namespace

std::vector<std::string> header_addresses(std::string_view value, std::size_t limit)
{
    std::vector<std::string> out;
    for (const Token& token : gather_addresses(scan_header_tokens(value, HeaderLayout{}.token_limit))) {
        if (token.type != TokenType::address)
            continue;
        if (out.size() == limit)
            break;
        std::string address = internal_text(token.parts);
        if (!address.empty())
            out.push_back(std::move(address));
    }
    return out;
}

std::optional<std::string> rewrite_header(std::string_view value, const AddressRewriter& rewriter, HeaderLayout layout)
{
    std::vector<Token> tokens = gather_addresses(scan_header_tokens(value, layout.token_limit));
    bool changed = false;
    for (Token& token : tokens)
        if (token.type == TokenType::address)
            changed |= rewrite_address(token, rewriter);
    if (!changed)
        return std::nullopt;
    return fold(format(tokens), layout.first_column);
}

std::string rewrite_header_addresses(std::string_view value,
                                     const std::function<std::string(std::string_view)>& rewrite)
{
    return rewrite_header(value, AddressRewriter{.complete = {}, .map = rewrite}).value_or(std::string{value});
}

} // namespace facteur::mail
