#include "config/computed.h"

#include "base/text.h"
#include "config/cidr.h"

#include <fmt/format.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>

namespace facteur::config {

namespace {

constexpr std::string_view kNoDomain = "localdomain";

struct Interface {
    Address address;
    int prefix = 0; // of its network mask
};

struct Families {
    bool ipv4 = false;
    bool ipv6 = false;
};

std::expected<Families, std::string> families_of(std::string_view protocols)
{
    Families out;
    for (const auto word : text::split_list(protocols)) {
        if (word == "all")
            out.ipv4 = out.ipv6 = true;
        else if (word == "ipv4")
            out.ipv4 = true;
        else if (word == "ipv6")
            out.ipv6 = true;
        else
            return std::unexpected(fmt::format("unknown inet_protocols value \"{}\" in \"{}\"", word, protocols));
    }
    if (!out.ipv4 && !out.ipv6)
        out.ipv4 = true;
    return out;
}

int prefix_length(const Address& mask)
{
    int length = 0;
    for (const auto byte : mask.bytes())
        length += __builtin_popcount(byte);
    return length;
}

// The machine's interfaces that are up, IPv4 first, without duplicates.
std::vector<Interface> interfaces_of(const Families& families)
{
    ifaddrs* raw = nullptr;
    if (::getifaddrs(&raw) != 0)
        return {};
    const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> list(raw, ::freeifaddrs);
    std::vector<Interface> out;
    for (const int family : {AF_INET, AF_INET6}) {
        if (!(family == AF_INET ? families.ipv4 : families.ipv6))
            continue;
        for (const auto* each = list.get(); each != nullptr; each = each->ifa_next) {
            if (each->ifa_addr == nullptr || each->ifa_netmask == nullptr || each->ifa_addr->sa_family != family ||
                (each->ifa_flags & IFF_UP) == 0)
                continue;
            const auto address = Address::from_socket(*each->ifa_addr);
            // Some kernels leave the mask's family unset.
            sockaddr_storage mask{};
            std::memcpy(&mask, each->ifa_netmask, family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
            mask.ss_family = static_cast<sa_family_t>(family);
            const auto bits = Address::from_socket(reinterpret_cast<const sockaddr&>(mask));
            if (address && bits && std::ranges::find(out, *address, &Interface::address) == out.end())
                out.push_back({*address, prefix_length(*bits)});
        }
    }
    return out;
}

bool is_loopback(const Address& address)
{
    if (address.is_ipv4())
        return address.bytes()[0] == 127;
    return address == *Address::parse("::1");
}

std::vector<Address> resolve(std::string_view name, const Families& families)
{
    if (name.size() > 2 && name.front() == '[' && name.back() == ']')
        name = name.substr(1, name.size() - 2);
    if (const auto numeric = Address::parse(name))
        return {*numeric};
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_family = families.ipv4 && families.ipv6 ? AF_UNSPEC : families.ipv6 ? AF_INET6 : AF_INET;
    addrinfo* raw = nullptr;
    if (::getaddrinfo(std::string(name).c_str(), nullptr, &hints, &raw) != 0)
        return {};
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> list(raw, ::freeaddrinfo);
    std::vector<Address> out;
    for (const auto* each = list.get(); each != nullptr; each = each->ai_next)
        if (const auto address = Address::from_socket(*each->ai_addr))
            out.push_back(*address);
    return out;
}

std::vector<Interface> selected(std::string_view words, const Families& families)
{
    const auto all = interfaces_of(families);
    std::vector<Interface> out;
    const auto take = [&](const Interface& one) {
        if (std::ranges::find(out, one.address, &Interface::address) == out.end())
            out.push_back(one);
    };
    for (const auto word : text::split_list(words)) {
        if (word == "all" || word == "loopback-only") {
            for (const auto& each : all)
                if (word == "all" || is_loopback(each.address))
                    take(each);
            continue;
        }
        for (const auto& address : resolve(word, families)) {
            const auto known = std::ranges::find(all, address, &Interface::address);
            take(known != all.end() ? *known : Interface{address, address.bits()});
        }
    }
    std::ranges::stable_partition(out, [](const Interface& one) { return one.address.is_ipv4(); });
    return out;
}

// The prefix that the classes of old give an IPv4 address.
int class_prefix(const Address& address)
{
    const auto first = address.bytes()[0];
    return first < 128 ? 8 : first < 192 ? 16 : 24;
}

} // namespace

std::string machine_hostname(std::string_view domain)
{
    char buffer[256] = {};
    if (::gethostname(buffer, sizeof buffer - 1) != 0)
        return fmt::format("localhost.{}", kNoDomain);
    std::string name(buffer);
    while (name.ends_with('.'))
        name.pop_back();
    if (name.find('.') == name.npos)
        name.append(".").append(domain.empty() ? kNoDomain : domain);
    return name;
}

std::string domain_of_host(std::string_view hostname)
{
    const auto dot = hostname.find('.');
    if (dot == hostname.npos || hostname.find('.', dot + 1) == hostname.npos)
        return std::string(kNoDomain);
    return std::string(hostname.substr(dot + 1));
}

std::expected<std::string, std::string> trusted_networks(const NetworkSettings& settings)
{
    const auto style = text::to_lower(text::trim(settings.style));
    if (style != "host" && style != "subnet" && style != "class")
        return std::unexpected(
            fmt::format("unknown mynetworks mask style value \"{}\" in \"{}\"", settings.style, settings.style));
    const auto families = families_of(settings.protocols);
    if (!families)
        return std::unexpected(families.error());
    std::string out;
    for (const auto& [address, subnet] : selected(settings.interfaces, *families)) {
        const int prefix = style == "host"                         ? address.bits()
                           : style == "class" && address.is_ipv4() ? class_prefix(address)
                                                                   : subnet;
        const auto network = address.masked(prefix).text();
        out +=
            fmt::format("{}{}/{}", out.empty() ? "" : " ", address.is_ipv4() ? network : "[" + network + "]", prefix);
    }
    return out;
}

std::expected<std::vector<std::string>, std::string> own_addresses(std::string_view interfaces,
                                                                   std::string_view protocols)
{
    const auto families = families_of(protocols);
    if (!families)
        return std::unexpected(families.error());
    std::vector<std::string> out;
    for (const auto& each : selected(interfaces, *families))
        out.push_back(each.address.text());
    return out;
}

} // namespace facteur::config
