#include "table/alias_source.h"

#include "base/log.h"
#include "base/text.h"
#include "config/params.h"
#include "mail/header_tokens.h"
#include "table/braces.h"
#include "table/maintenance.h"
#include "table/source_lines.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <span>

namespace facteur::table {
namespace {

using mail::Token;
using mail::TokenType;
using Tokens = std::span<const Token>;

enum class Quotes { keep, strip };

void add_token(std::string& out, const Token& token, Quotes quotes)
{
    switch (token.type) {
    case TokenType::special:
        out += token.special;
        if (token.special == ',')
            out += ' ';
        return;
    case TokenType::quoted:
        if (quotes == Quotes::strip)
            break;
        out += '"';
        for (const char c : token.text) {
            if (c == '"' || c == '\\' || c == '\r' || c == '\n')
                out += '\\';
            out += c;
        }
        out += '"';
        return;
    default:
        break;
    }
    out += token.text;
}

// Words are set apart by one space, and so is what stands before "<"; around other specials there is none.
bool space_between(const Token& left, const Token& right)
{
    return !left.is(',') && (right.is('<') || (left.is_word() && right.is_word()));
}

std::string text_of(Tokens tokens, Quotes quotes)
{
    std::string out;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        add_token(out, tokens[i], quotes);
        if (i + 1 < tokens.size() && space_between(tokens[i], tokens[i + 1]))
            out += ' ';
    }
    return out;
}

bool holds(Tokens tokens, std::string_view specials)
{
    return std::ranges::any_of(tokens, [&](const Token& token) {
        return token.type == TokenType::special && specials.find(token.special) != specials.npos;
    });
}

} // namespace

void read_alias_source(std::string_view text, std::string_view file, AliasText accepted,
                       const std::function<bool(std::string_view, std::string_view)>& take)
{
    for (const SourceLine& line : source_lines(text, file)) {
        const auto warn = [&](std::string_view what) {
            log::warning("{}, line {}: {}", file, line.number, text::printable(what, text::Utf8::allow));
        };
        if (accepted == AliasText::utf8_only && !text::valid_utf8(line.text)) {
            warn(fmt::format("non-UTF-8 input \"{}\" -- ignoring this line", line.text));
            continue;
        }
        const auto tokens = mail::scan_header_tokens(line.text, std::numeric_limits<std::size_t>::max());
        const auto colon = std::ranges::find_if(tokens, [](const Token& token) { return token.is(':'); });
        const Tokens name(tokens.begin(), colon);
        if (colon == tokens.end() || colon == tokens.begin() || std::next(colon) == tokens.end() || holds(name, ",")) {
            warn("need name:value pair");
            continue;
        }
        if (holds(name, "@%")) {
            warn("name must be local");
            continue;
        }
        if (!take(text_of(name, Quotes::strip), text_of(Tokens(std::next(colon), tokens.end()), Quotes::keep)))
            return;
    }
}

std::expected<void, std::string> rebuild_alias_databases(const config::Config& config)
{
    Maintenance how;
    how.format = SourceFormat::alias;
    for (const std::string_view spec : split_braced(config.get(config::params::alias_database)))
        if (auto built = build_table(spec, how, config); !built)
            return built;
    return {};
}

} // namespace facteur::table
