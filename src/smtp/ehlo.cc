#include "smtp/ehlo.h"

#include "base/text.h"

namespace facteur::smtp {

namespace {

struct Keyword {
    std::string_view name;
    std::uint32_t bit;
};
constexpr Keyword kKeywords[] = {
    {"8BITMIME", ehlo::eightbitmime},
    {"AUTH", ehlo::auth},
    {"ETRN", ehlo::etrn},
    {"PIPELINING", ehlo::pipelining},
    {"SIZE", ehlo::size},
    {"VERP", ehlo::verp},
    {"VRFY", ehlo::vrfy},
    {"XCLIENT", ehlo::xclient},
    {"XFORWARD", ehlo::xforward},
    {"STARTTLS", ehlo::starttls},
    {"ENHANCEDSTATUSCODES", ehlo::enhancedstatuscodes},
    {"DSN", ehlo::dsn},
    {"SMTPUTF8", ehlo::smtputf8},
    {"CHUNKING", ehlo::chunking},
    {"SILENT-DISCARD", ehlo::silent},
};

} // namespace

std::uint32_t parse_ehlo_keywords(std::string_view words)
{
    std::uint32_t bits = 0;
    for (const std::string_view word : text::split(words, ", \t\r\n"))
        for (const Keyword& keyword : kKeywords)
            if (text::iequals(word, keyword.name))
                bits |= keyword.bit;
    return bits;
}

std::string ehlo_keyword_names(std::uint32_t keywords)
{
    std::string names;
    for (const Keyword& keyword : kKeywords) {
        if ((keywords & keyword.bit) == 0 || keyword.bit == ehlo::silent)
            continue;
        if (!names.empty())
            names += ' ';
        names += keyword.name;
    }
    return names;
}

} // namespace facteur::smtp
