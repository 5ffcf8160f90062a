#include "daemons/smtp/ehlo.h"

#include "base/text.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace facteur::smtp_client {

namespace {

struct Word {
    std::string_view name;
    std::uint32_t bit;
};
constexpr auto kFeatures = std::to_array<Word>({
    {"8BITMIME", feature::eightbitmime},
    {"PIPELINING", feature::pipelining},
    {"SIZE", feature::size},
    {"STARTTLS", feature::starttls},
    {"AUTH", feature::auth},
    {"DSN", feature::dsn},
    {"SMTPUTF8", feature::smtputf8},
    {"XFORWARD", feature::xforward},
    {"ENHANCEDSTATUSCODES", feature::enhancedstatuscodes},
});
constexpr auto kAttributes = std::to_array<Word>({
    {"NAME", xforward::name},
    {"ADDR", xforward::address},
    {"PORT", xforward::port},
    {"PROTO", xforward::protocol},
    {"HELO", xforward::helo},
    {"IDENT", xforward::ident},
    {"SOURCE", xforward::source},
});

template <std::size_t N>
std::uint32_t bit_of(const std::array<Word, N>& words, std::string_view name)
{
    for (const Word& word : words)
        if (text::iequals(word.name, name))
            return word.bit;
    return 0;
}

void take_size(std::string_view word, ServerFeatures& into)
{
    const auto [end, code] = std::from_chars(word.data(), word.data() + word.size(), into.size_limit);
    if (code == std::errc() && end == word.data() + word.size())
        return;
    into.size_limit = 0;
    into.bad_size_limit = std::string(word);
}

void take_keyword(std::string_view line, ServerFeatures& into)
{
    // "AUTH=LOGIN" is how some old servers write it.
    const auto words = text::split(line, " \t");
    if (words.empty())
        return;
    const std::string_view keyword = text::istarts_with(words[0], "AUTH=") ? words[0].substr(0, 4) : words[0];
    const std::uint32_t bit = bit_of(kFeatures, keyword);
    into.bits |= bit;
    if (bit == feature::size && words.size() > 1)
        take_size(words[1], into);
    if (bit == feature::xforward)
        for (const auto word : words)
            into.xforward_bits |= bit_of(kAttributes, word);
}

// "250-PIPELINING" -> "PIPELINING"
std::string_view without_code(std::string_view line)
{
    line.remove_prefix(std::min<std::size_t>(3, line.size()));
    if (!line.empty() && (line[0] == ' ' || line[0] == '-'))
        line.remove_prefix(1);
    return line;
}

} // namespace

Greeting greeted_by(std::string_view reply_text)
{
    Greeting greeting;
    greeting.hidden = reply_text.find_first_not_of("20 *\t\n") == reply_text.npos;
    bool first = true;
    for (const auto line : text::split(reply_text, "\n"))
        for (const auto word : text::split(without_code(line), " \t")) {
            if (std::exchange(first, false))
                greeting.host = word;
            else
                greeting.esmtp |= text::iequals(word, "ESMTP");
        }
    return greeting;
}

ServerFeatures parse_ehlo(std::string_view reply_text)
{
    ServerFeatures features;
    bool first = true;
    for (const auto line : text::split(reply_text, "\n")) {
        const std::string_view body = without_code(line);
        if (std::exchange(first, false)) {
            const auto words = text::split(body, " \t");
            features.host = words.empty() ? "" : std::string(words[0]);
            continue;
        }
        take_keyword(body, features);
    }
    return features;
}

} // namespace facteur::smtp_client
