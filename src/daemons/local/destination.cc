#include "daemons/local/destination.h"

#include "base/text.h"
#include "mail/address.h"

namespace facteur::local {

namespace {

constexpr std::string_view kInclude = ":include:";

// Elements between commas; commas within quotes, angle brackets and comments do not count.
std::vector<std::string_view> elements(std::string_view list)
{
    std::vector<std::string_view> out;
    std::size_t start = 0;
    bool quoted = false;
    int depth = 0;
    for (std::size_t i = 0; i <= list.size(); ++i) {
        const char c = i < list.size() ? list[i] : ',';
        if (c == '\\' && quoted) {
            ++i;
            continue;
        }
        if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '(' || c == '<'))
            ++depth;
        else if (!quoted && (c == ')' || c == '>'))
            --depth;
        if (i < list.size() && (c != ',' || quoted || depth > 0))
            continue;
        if (const std::string_view element = text::trim(list.substr(start, i - start)); !element.empty())
            out.push_back(element);
        start = i + 1;
    }
    return out;
}

// Quotes around the whole, as "|command with, comma" needs them.
std::string unquote(std::string_view element)
{
    if (element.size() < 2 || element.front() != '"' || element.back() != '"')
        return std::string(element);
    std::string out;
    element = element.substr(1, element.size() - 2);
    for (std::size_t i = 0; i < element.size(); ++i) {
        if (element[i] == '\\' && i + 1 < element.size())
            ++i;
        out += element[i];
    }
    return out;
}

} // namespace

std::vector<Destination> parse_destinations(std::string_view list)
{
    std::vector<Destination> out;
    for (const std::string_view element : elements(list)) {
        const std::string plain = unquote(element);
        if (plain.starts_with('|'))
            out.push_back({Destination::Kind::command, plain.substr(1)});
        else if (plain.starts_with('/'))
            out.push_back({Destination::Kind::file, plain});
        else if (text::istarts_with(plain, kInclude))
            out.push_back(
                {Destination::Kind::include, std::string(text::trim(std::string_view(plain).substr(kInclude.size())))});
        else
            for (std::string& address : mail::header_addresses(element))
                out.push_back({Destination::Kind::address, std::move(address)});
    }
    return out;
}

std::vector<Destination> parse_include(std::string_view text)
{
    std::vector<Destination> out;
    for (const std::string_view line : text::split(text, "\n")) {
        const std::string_view content = text::trim(line);
        if (content.empty() || content.front() == '#')
            continue;
        for (Destination& destination : parse_destinations(content))
            out.push_back(std::move(destination));
    }
    return out;
}

} // namespace facteur::local
