#include "smtp/parameters.h"

#include "base/text.h"
#include "smtp/xtext.h"

#include <fmt/format.h>

#include <algorithm>

namespace facteur::smtp {

namespace {

constexpr std::string_view kNoDsn = "501 5.7.1 DSN support is disabled";

struct NotifyName {
    std::string_view name;
    std::uint32_t bit;
};
constexpr NotifyName kNotifyNames[] = {{"NEVER", 1}, {"SUCCESS", 2}, {"FAILURE", 4}, {"DELAY", 8}};

// "NAME=value" -> value, when the word is this parameter.
std::optional<std::string_view> value_of(std::string_view word, std::string_view name)
{
    if (word.size() <= name.size() || word[name.size()] != '=' || !text::istarts_with(word, name))
        return std::nullopt;
    return word.substr(name.size() + 1);
}

bool all_printable(std::string_view text)
{
    return std::all_of(text.begin(), text.end(), text::is_printable);
}

std::expected<std::uint64_t, std::string> parse_size(std::string_view value)
{
    if (!all_digits(value))
        return std::unexpected("501 5.5.4 Bad message size syntax");
    const auto size = parse_count(value);
    if (!size)
        return std::unexpected("552 5.3.4 Message size exceeds file system imposed limit");
    return *size;
}

std::uint32_t parse_ret(std::string_view value)
{
    return text::iequals(value, "FULL") ? 1 : text::iequals(value, "HDRS") ? 2 : 0;
}

std::string unsupported(std::string_view word)
{
    return fmt::format("555 5.5.4 Unsupported option: {}", word);
}

} // namespace

bool asks_smtputf8(std::span<const Word> words)
{
    return std::any_of(words.begin(), words.end(),
                       [](const Word& word) { return text::iequals(word.text, "SMTPUTF8"); });
}

std::expected<MailParameters, std::string> parse_mail_parameters(std::span<const Word> words, const Offered& offered)
{
    MailParameters parsed;
    bool envid_given = false;
    for (const auto& [word, malformed] : words) {
        if (text::iequals(word, "BODY=8BITMIME")) {
            parsed.encoding = "8bit";
        } else if (text::iequals(word, "BODY=7BIT")) {
            parsed.encoding = "7bit";
        } else if (const auto size_text = value_of(word, "SIZE")) {
            const auto size = parse_size(*size_text);
            if (!size)
                return std::unexpected(size.error());
            parsed.size = *size;
        } else if (offered.smtputf8 && text::iequals(word, "SMTPUTF8")) {
            parsed.smtputf8 = true;
        } else if (const auto auth = value_of(word, "AUTH")) {
            parsed.auth = *auth == "<>" ? "" : text::printable(*auth);
        } else if (const auto ret = value_of(word, "RET")) {
            if (!offered.dsn)
                return std::unexpected(std::string(kNoDsn));
            const std::uint32_t code = parse_ret(*ret);
            if (parsed.dsn_ret != 0 || code == 0)
                return std::unexpected("501 5.5.4 Bad RET parameter syntax");
            parsed.dsn_ret = code;
        } else if (const auto envid = value_of(word, "ENVID")) {
            if (!offered.dsn)
                return std::unexpected(std::string(kNoDsn));
            auto decoded = xtext_decode(*envid);
            if (envid_given || !decoded || !all_printable(*decoded))
                return std::unexpected("501 5.5.4 Bad ENVID parameter syntax");
            envid_given = true;
            parsed.dsn_envid = std::move(*decoded);
        } else {
            return std::unexpected(unsupported(word));
        }
    }
    return parsed;
}

std::uint32_t parse_notify(std::string_view value)
{
    std::uint32_t bits = 0;
    while (true) {
        const auto comma = value.find(',');
        const std::string_view name = value.substr(0, comma);
        std::uint32_t bit = 0;
        for (const NotifyName& known : kNotifyNames)
            if (text::iequals(name, known.name))
                bit = known.bit;
        if (bit == 0)
            return 0;
        bits |= bit;
        if (comma == value.npos)
            break;
        value.remove_prefix(comma + 1);
    }
    const bool never_and_more = (bits & 1) != 0 && bits != 1;
    return never_and_more ? 0 : bits;
}

std::optional<std::string> parse_orcpt(std::string_view value)
{
    const auto semicolon = value.find(';');
    if (semicolon == value.npos || semicolon == 0)
        return std::nullopt;
    const std::string_view type = value.substr(0, semicolon);
    const std::string_view address = value.substr(semicolon + 1);
    const auto decoded = text::iequals(type, "utf-8") ? unitext_decode(address) : xtext_decode(address);
    if (!decoded)
        return std::nullopt;
    std::string orcpt(type);
    orcpt += ';';
    orcpt += text::iequals(type, "utf-8") ? *decoded : text::printable(*decoded);
    return orcpt;
}

std::expected<RcptParameters, std::string> parse_rcpt_parameters(std::span<const Word> words, const Offered& offered)
{
    RcptParameters parsed;
    for (const auto& [word, malformed] : words) {
        if (const auto notify = value_of(word, "NOTIFY")) {
            if (!offered.dsn)
                return std::unexpected(std::string(kNoDsn));
            const std::uint32_t bits = parse_notify(*notify);
            if (parsed.dsn_notify != 0 || bits == 0)
                return std::unexpected("501 5.5.4 Error: Bad NOTIFY parameter syntax");
            parsed.dsn_notify = bits;
        } else if (const auto orcpt = value_of(word, "ORCPT")) {
            if (!offered.dsn)
                return std::unexpected(std::string(kNoDsn));
            auto decoded = parse_orcpt(*orcpt);
            if (!parsed.dsn_orcpt.empty() || !decoded)
                return std::unexpected("501 5.5.4 Error: Bad ORCPT parameter syntax");
            parsed.dsn_orcpt = std::move(*decoded);
        } else {
            return std::unexpected(unsupported(word));
        }
    }
    return parsed;
}

} // namespace facteur::smtp
