#include "mail/dsn.h"

#include "base/scanner.h"
#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>

namespace facteur::mail {
namespace {

constexpr std::string_view kHex = "0123456789ABCDEF";

std::optional<unsigned> hex_digit(char c)
{
    const auto at = kHex.find(text::upper(c));
    if (at == kHex.npos)
        return std::nullopt;
    return static_cast<unsigned>(at);
}

bool is_plain(char c)
{
    return c > 32 && c < 127 && c != '+' && c != '=';
}

// The code point at the front of valid UTF-8, and its length.
struct CodePoint {
    char32_t value;
    std::size_t length;
};
CodePoint first_code_point(std::string_view text)
{
    const auto lead = static_cast<unsigned char>(text[0]);
    const std::size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    char32_t value = length == 1 ? lead : lead & (0x7FU >> length);
    for (std::size_t i = 1; i < length; ++i)
        value = value << 6 | (static_cast<unsigned char>(text[i]) & 0x3FU);
    return {value, length};
}

void append_utf8(std::string& out, char32_t c)
{
    if (c < 0x80) {
        out += static_cast<char>(c);
    } else if (c < 0x800) {
        out += static_cast<char>(0xC0 | c >> 6);
        out += static_cast<char>(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        out += static_cast<char>(0xE0 | c >> 12);
        out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
        out += static_cast<char>(0x80 | (c & 0x3F));
    } else {
        out += static_cast<char>(0xF0 | c >> 18);
        out += static_cast<char>(0x80 | (c >> 12 & 0x3F));
        out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
        out += static_cast<char>(0x80 | (c & 0x3F));
    }
}

} // namespace

std::string EnhancedStatus::text() const
{
    return fmt::format("{}.{}.{}", status_class, subject, detail);
}

std::expected<EnhancedStatus, SyntaxError> parse_enhanced_status(std::string_view text)
{
    Scanner in{text};
    const auto status_class = in.digits(1);
    in.expect('.');
    const auto subject = in.digits(3);
    in.expect('.');
    const auto detail = in.digits(3);

    if (!in.complete())
        return std::unexpected(SyntaxError{in.offset(), "class.subject.detail"});
    if (*status_class != 2 && *status_class != 4 && *status_class != 5)
        return std::unexpected(SyntaxError{0, "class 2, 4 or 5"});
    return EnhancedStatus{static_cast<std::uint16_t>(*status_class), static_cast<std::uint16_t>(*subject),
                          static_cast<std::uint16_t>(*detail)};
}

std::optional<StatusAndText> split_enhanced_status(std::string_view text)
{
    const std::string_view word = text.substr(0, text.find_first_of(" \t\r\n"));
    const auto status = parse_enhanced_status(word);
    if (!status)
        return std::nullopt;
    return StatusAndText{.status = *status, .text = text::trim(text.substr(word.size()))};
}

std::string xtext_encode(std::string_view text)
{
    std::string out;
    for (const char c : text) {
        if (is_plain(c)) {
            out += c;
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        out += '+';
        out += kHex[byte >> 4];
        out += kHex[byte & 15];
    }
    return out;
}

std::optional<std::string> xtext_decode(std::string_view xtext)
{
    std::string out;
    for (std::size_t i = 0; i < xtext.size(); ++i) {
        if (xtext[i] != '+') {
            out += xtext[i];
            continue;
        }
        if (xtext.size() - i < 3)
            return std::nullopt;
        const auto high = hex_digit(xtext[i + 1]);
        const auto low = hex_digit(xtext[i + 2]);
        if (!high || !low)
            return std::nullopt;
        out += static_cast<char>(*high << 4 | *low);
        i += 2;
    }
    return out;
}

std::string unitext_encode(std::string_view text, Unitext form)
{
    std::string out;
    const bool utf8 = text::valid_utf8(text);
    while (!text.empty()) {
        const CodePoint c = utf8 ? first_code_point(text) : CodePoint{static_cast<unsigned char>(text[0]), 1};
        if ((c.value < 128 && is_plain(text[0]) && text[0] != '\\') || (c.value >= 128 && form == Unitext::utf8))
            out += text.substr(0, c.length);
        else
            out += fmt::format("\\x{{{:02X}}}", static_cast<unsigned>(c.value));
        text.remove_prefix(c.length);
    }
    return out;
}

std::optional<std::string> unitext_decode(std::string_view unitext)
{
    std::string out;
    for (std::size_t i = 0; i < unitext.size(); ++i) {
        if (unitext[i] != '\\') {
            out += unitext[i];
            continue;
        }
        const auto close = unitext.find('}', i);
        if (!unitext.substr(i).starts_with("\\x{") || close == unitext.npos || close - i < 4 || close - i > 9)
            return std::nullopt;
        char32_t value = 0;
        for (const char c : unitext.substr(i + 3, close - i - 3)) {
            const auto digit = hex_digit(c);
            if (!digit)
                return std::nullopt;
            value = value << 4 | *digit;
        }
        if (value > 0x10FFFF || (value >= 0xD800 && value < 0xE000))
            return std::nullopt;
        append_utf8(out, value);
        i = close;
    }
    if (!text::valid_utf8(out))
        return std::nullopt;
    return out;
}

std::optional<OriginalRecipient> parse_orcpt(std::string_view parameter)
{
    const auto semicolon = parameter.find(';');
    if (semicolon == parameter.npos || semicolon == 0 || semicolon + 1 == parameter.size())
        return std::nullopt;
    OriginalRecipient out;
    out.type = parameter.substr(0, semicolon);
    for (const char c : out.type)
        if (!text::is_alnum(c) && c != '-')
            return std::nullopt;
    const std::string_view encoded = parameter.substr(semicolon + 1);
    auto address = text::iequals(out.type, "utf-8") ? unitext_decode(encoded) : xtext_decode(encoded);
    if (!address)
        return std::nullopt;
    out.address = std::move(*address);
    return out;
}

std::string format_orcpt(const OriginalRecipient& recipient, Unitext form)
{
    const bool utf8 = text::iequals(recipient.type, "utf-8");
    return recipient.type + ";" + (utf8 ? unitext_encode(recipient.address, form) : xtext_encode(recipient.address));
}

OriginalRecipient split_original_recipient(std::string_view stored)
{
    const auto semicolon = stored.find(';');
    if (semicolon == stored.npos)
        return {.type = "rfc822", .address = std::string{stored}};
    return {.type = std::string{stored.substr(0, semicolon)}, .address = std::string{stored.substr(semicolon + 1)}};
}

std::uint8_t Notify::bits() const
{
    return static_cast<std::uint8_t>((never ? 1 : 0) | (success ? 2 : 0) | (failure ? 4 : 0) | (delay ? 8 : 0));
}

Notify Notify::from_bits(std::uint8_t bits)
{
    return {.never = (bits & 1) != 0, .success = (bits & 2) != 0, .failure = (bits & 4) != 0, .delay = (bits & 8) != 0};
}

std::optional<Notify> parse_notify(std::string_view value)
{
    Notify out;
    for (std::size_t at = 0; at <= value.size();) {
        const auto comma = std::min(value.find(',', at), value.size());
        const std::string_view word = value.substr(at, comma - at);
        bool* flag = text::iequals(word, "NEVER")     ? &out.never
                     : text::iequals(word, "SUCCESS") ? &out.success
                     : text::iequals(word, "FAILURE") ? &out.failure
                     : text::iequals(word, "DELAY")   ? &out.delay
                                                      : nullptr;
        if (flag == nullptr)
            return std::nullopt;
        *flag = true;
        at = comma + 1;
    }
    if (out.never && (out.success || out.failure || out.delay))
        return std::nullopt;
    return out;
}

std::string format_notify(Notify notify)
{
    if (notify.never)
        return "NEVER";
    std::string out;
    const auto add = [&](bool set, std::string_view word) {
        if (set)
            out.append(out.empty() ? "" : ",").append(word);
    };
    add(notify.success, "SUCCESS");
    add(notify.failure, "FAILURE");
    add(notify.delay, "DELAY");
    return out;
}

std::optional<Return> parse_return(std::string_view value)
{
    if (text::iequals(value, "FULL"))
        return Return::full;
    if (text::iequals(value, "HDRS"))
        return Return::headers;
    return std::nullopt;
}

std::string_view format_return(Return value)
{
    switch (value) {
    case Return::full:
        return "FULL";
    case Return::headers:
        return "HDRS";
    case Return::unset:
        break;
    }
    return {};
}

} // namespace facteur::mail
