#include "dns/name.h"

#include "base/text.h"

#include <algorithm>

namespace facteur::dns {

namespace {

constexpr std::size_t kLongestName = 255;
constexpr std::size_t kLongestLabel = 63;

bool valid_label(std::string_view label)
{
    if (label.empty() || label.size() > kLongestLabel || label.front() == '-' || label.back() == '-')
        return false;
    return std::ranges::all_of(label, [](char c) { return text::is_alnum(c) || c == '-' || c == '_'; });
}

} // namespace

bool valid_hostname(std::string_view name)
{
    if (name.empty() || name.size() > kLongestName)
        return false;
    if (std::ranges::all_of(name, [](char c) { return text::is_digit(c) || c == '.'; }))
        return false;
    for (;;) {
        const auto dot = name.find('.');
        if (!valid_label(name.substr(0, dot)))
            return false;
        if (dot == name.npos)
            return true;
        name.remove_prefix(dot + 1);
    }
}

} // namespace facteur::dns
