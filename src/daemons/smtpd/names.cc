#include "daemons/smtpd/names.h"

#include "base/text.h"
#include "net/address.h"

namespace facteur::smtpd {

bool valid_hostname(std::string_view name)
{
    constexpr std::size_t kMaxName = 255;
    constexpr std::size_t kMaxLabel = 63;
    if (name.empty() || name.size() > kMaxName)
        return false;
    bool numeric = true;
    std::size_t label = 0;
    char last = '.';
    for (const char c : name) {
        if (text::is_alnum(c) || c == '_') {
            if (++label > kMaxLabel)
                return false;
            numeric &= text::is_digit(c);
        } else if (c == '.') {
            if (label == 0 || last == '-')
                return false;
            label = 0;
        } else if (c == '-') {
            if (label++ == 0)
                return false;
            numeric = false;
        } else {
            return false;
        }
        last = c;
    }
    return last != '.' && last != '-' && !numeric;
}

bool valid_address(std::string_view text)
{
    return net::is_ipv4(text) || net::is_ipv6(text);
}

std::optional<std::string_view> literal_address(std::string_view literal)
{
    if (literal.size() < 2 || literal.front() != '[' || literal.back() != ']')
        return std::nullopt;
    std::string_view inner = literal.substr(1, literal.size() - 2);
    if (text::istarts_with(inner, "IPv6:")) {
        inner.remove_prefix(5);
        return net::is_ipv6(inner) ? std::optional(inner) : std::nullopt;
    }
    return net::is_ipv4(inner) ? std::optional(inner) : std::nullopt;
}

std::string_view without_final_dot(std::string_view name)
{
    if (name.size() > 1 && name.ends_with('.') && name[name.size() - 2] != '.')
        name.remove_suffix(1);
    return name;
}

} // namespace facteur::smtpd
