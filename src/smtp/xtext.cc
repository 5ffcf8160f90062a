#include "smtp/xtext.h"

#include "base/text.h"

#include <fmt/format.h>

namespace facteur::smtp {

namespace {

int hex_value(char c)
{
    if (text::is_digit(c))
        return c - '0';
    const char lower = text::lower(c);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

void append_utf8(std::string& out, char32_t code)
{
    if (code < 0x80) {
        out += static_cast<char>(code);
    } else if (code < 0x800) {
        out += static_cast<char>(0xC0 | (code >> 6));
        out += static_cast<char>(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
        out += static_cast<char>(0xE0 | (code >> 12));
        out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
        out += static_cast<char>(0x80 | (code & 0x3F));
    } else {
        out += static_cast<char>(0xF0 | (code >> 18));
        out += static_cast<char>(0x80 | ((code >> 12) & 0x3F));
        out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
        out += static_cast<char>(0x80 | (code & 0x3F));
    }
}

} // namespace

std::string xtext_encode(std::string_view text)
{
    std::string out;
    for (const char c : text) {
        if (c > 32 && c < 127 && c != '+' && c != '=')
            out += c;
        else
            out += fmt::format("+{:02X}", static_cast<unsigned char>(c));
    }
    return out;
}

std::optional<std::string> xtext_decode(std::string_view text)
{
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '+') {
            out += text[i];
            continue;
        }
        if (i + 2 >= text.size())
            return std::nullopt;
        const int high = hex_value(text[i + 1]);
        const int low = hex_value(text[i + 2]);
        if (high < 0 || low < 0)
            return std::nullopt;
        out += static_cast<char>(high * 16 + low);
        i += 2;
    }
    return out;
}

std::optional<std::string> unitext_decode(std::string_view text)
{
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\') {
            out += text[i];
            continue;
        }
        const auto close = text.find('}', i);
        if (!text.substr(i).starts_with("\\x{") || close == text.npos || close == i + 3 || close > i + 9)
            return std::nullopt;
        char32_t code = 0;
        for (const char c : text.substr(i + 3, close - i - 3)) {
            if (hex_value(c) < 0)
                return std::nullopt;
            code = code * 16 + static_cast<unsigned>(hex_value(c));
        }
        if (code == 0 || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000))
            return std::nullopt;
        append_utf8(out, code);
        i = close;
    }
    if (!text::valid_utf8(out))
        return std::nullopt;
    return out;
}

} // namespace facteur::smtp
