#include "smtp/attributes.h"

#include "base/text.h"
#include "smtp/xtext.h"

#include <fmt/format.h>

namespace facteur::smtp {

std::expected<Attribute, std::string> parse_attribute(std::string_view word)
{
    constexpr std::size_t kMaxValue = 255;
    const auto equals = word.find('=');
    if (equals == word.npos || equals + 1 == word.size())
        return std::unexpected("501 5.5.4 Error: attribute=value expected");
    const std::string_view coded = word.substr(equals + 1);
    if (coded.size() > kMaxValue)
        return std::unexpected("501 5.5.4 Error: attribute value too long");
    auto value = xtext_decode(coded);
    if (!value)
        return std::unexpected(fmt::format("501 5.5.4 Bad attribute value syntax: {}", text::printable(coded)));

    Attribute attribute{text::to_upper(word.substr(0, equals)), {}, Known::yes};
    if (text::iequals(*value, "[UNAVAILABLE]"))
        attribute.known = Known::unavailable;
    else if (text::iequals(*value, "[TEMPUNAVAIL]"))
        attribute.known = Known::temporarily_not;
    else
        attribute.value = text::printable(*value);
    return attribute;
}

} // namespace facteur::smtp
