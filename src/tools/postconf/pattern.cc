#include "tools/postconf/pattern.h"

#include "base/text.h"
#include "tools/postconf/raw_master.h"

namespace facteur::postconf {

bool Pattern::matches(const RawEntry& entry) const
{
    return (parts[0] == "*" || parts[0] == entry.fields[0]) && (parts[1] == "*" || parts[1] == entry.fields[1]);
}

std::expected<Pattern, std::string> Pattern::parse(std::string_view text, std::size_t at_least, std::size_t at_most,
                                                   std::string_view error)
{
    const auto words = text::split(text, "/");
    if (words.size() < at_least || words.size() > at_most)
        return std::unexpected(std::string(error));
    Pattern out;
    out.text = text;
    out.given = words.size();
    for (std::size_t i = 0; i < words.size(); ++i)
        out.parts[i] = words[i];
    return out;
}

} // namespace facteur::postconf
