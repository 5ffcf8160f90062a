#include "config/cidr.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

namespace facteur::config {

std::optional<Address> Address::parse(std::string_view text)
{
    char buffer[INET6_ADDRSTRLEN + 1];
    if (text.empty() || text.size() >= sizeof buffer)
        return std::nullopt;
    std::memcpy(buffer, text.data(), text.size());
    buffer[text.size()] = '\0';
    Address out;
    out.size_ = text.find(':') == text.npos ? 4 : 16;
    if (::inet_pton(out.size_ == 4 ? AF_INET : AF_INET6, buffer, out.bytes_.data()) != 1)
        return std::nullopt;
    return out;
}

std::optional<Address> Address::from_socket(const sockaddr& address)
{
    Address out;
    if (address.sa_family == AF_INET) {
        std::memcpy(out.bytes_.data(), &reinterpret_cast<const sockaddr_in&>(address).sin_addr, 4);
    } else if (address.sa_family == AF_INET6) {
        out.size_ = 16;
        std::memcpy(out.bytes_.data(), &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, 16);
    } else {
        return std::nullopt;
    }
    return out;
}

Address Address::masked(int prefix) const
{
    Address out = *this;
    for (int i = 0; i < size_; ++i) {
        const int keep = std::clamp(prefix - i * 8, 0, 8);
        out.bytes_[static_cast<std::size_t>(i)] &= static_cast<std::uint8_t>(0xff00 >> keep);
    }
    return out;
}

std::string Address::text() const
{
    char buffer[INET6_ADDRSTRLEN] = {};
    ::inet_ntop(size_ == 4 ? AF_INET : AF_INET6, bytes_.data(), buffer, sizeof buffer);
    return buffer;
}

bool Network::contains(const Address& address) const
{
    return address.bits() == base.bits() && address.masked(prefix) == base;
}

std::expected<Network, std::string> Network::parse(std::string_view pattern)
{
    const auto bad = [&] { return std::unexpected(fmt::format("bad net/mask pattern: \"{}\"", pattern)); };
    auto host = pattern;
    std::string_view mask;
    bool has_mask = false;
    if (pattern.starts_with('[')) {
        const auto close = pattern.find(']');
        if (close == pattern.npos)
            return bad();
        host = pattern.substr(1, close - 1);
        mask = pattern.substr(close + 1);
        has_mask = !mask.empty();
        if (has_mask && mask.front() != '/')
            return bad();
        mask.remove_prefix(has_mask ? 1 : 0);
    } else if (const auto slash = pattern.find('/'); slash != pattern.npos) {
        host = pattern.substr(0, slash);
        mask = pattern.substr(slash + 1);
        has_mask = true;
    }
    const auto address = Address::parse(host);
    if (!address)
        return bad();
    Network out{*address, address->bits()};
    if (!has_mask)
        return out;
    const auto bits = text::to_long(mask);
    if (!bits || *bits < 0 || *bits > address->bits() || !text::is_digit(mask.front()))
        return bad();
    out.prefix = static_cast<int>(*bits);
    out.base = address->masked(out.prefix);
    if (out.base != *address) {
        const bool brackets = pattern.starts_with('[');
        return std::unexpected(
            fmt::format("non-null host address bits in \"{}\", perhaps you should use \"{}{}{}/{}\" instead", pattern,
                        brackets ? "[" : "", out.base.text(), brackets ? "]" : "", out.prefix));
    }
    return out;
}

} // namespace facteur::config
