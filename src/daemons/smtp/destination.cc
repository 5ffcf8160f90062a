#include "daemons/smtp/destination.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <netdb.h>

#include <algorithm>
#include <tuple>

namespace facteur::smtp_client {

namespace {

struct HostPort {
    std::string_view host;
    std::string_view port; // empty: not given
    bool bracketed = false;
};

// "host", "host:port", "[host]", "[host]:port"
std::expected<HostPort, std::string> split_host_port(std::string_view text)
{
    HostPort parts;
    std::string_view rest;
    if (text.starts_with('[')) {
        const auto end = text.find(']');
        if (end == text.npos)
            return std::unexpected("missing \"]\"");
        parts.bracketed = true;
        parts.host = text.substr(1, end - 1);
        rest = text.substr(end + 1);
    } else {
        // A bare IPv6 address has several colons and no port.
        const auto colon = text.find(':');
        const bool address = colon != text.npos && net::is_ipv6(text);
        parts.host = address ? text : text.substr(0, colon);
        rest = address || colon == text.npos ? std::string_view() : text.substr(colon);
    }
    if (text::istarts_with(parts.host, "ipv6:"))
        parts.host.remove_prefix(5);
    if (rest.empty())
        return parts;
    if (!rest.starts_with(':'))
        return std::unexpected("garbage after \"]\"");
    parts.port = rest.substr(1);
    if (parts.port.empty())
        return std::unexpected("missing port");
    return parts;
}

auto family_rank(const Host& host, AddressPreference preference)
{
    if (preference == AddressPreference::any)
        return 0;
    return host.ipv6 == (preference == AddressPreference::ipv6) ? 0 : 1;
}

} // namespace

std::optional<std::uint16_t> service_port(std::string_view service)
{
    if (const auto number = text::to_long(service))
        return *number > 0 && *number < 65536 ? std::optional(static_cast<std::uint16_t>(*number)) : std::nullopt;
    const servent* const entry = ::getservbyname(std::string(service).c_str(), "tcp");
    if (entry)
        return ntohs(static_cast<std::uint16_t>(entry->s_port));
    // The mail services work without /etc/services, which a chroot may lack.
    if (service == "smtp")
        return 25;
    if (service == "submission")
        return 587;
    return service == "smtps" || service == "submissions" ? std::optional<std::uint16_t>(465) : std::nullopt;
}

std::expected<Destination, std::string> parse_destination(std::string_view text, Protocol protocol,
                                                          std::string_view default_port)
{
    Destination destination{.text = std::string(text)};
    if (protocol == Protocol::lmtp && text.starts_with("unix:")) {
        destination.unix_path = text.substr(5);
        if (destination.unix_path.empty())
            return std::unexpected(fmt::format("missing pathname in server description: {}", text));
        return destination;
    }
    if (protocol == Protocol::lmtp && text.starts_with("inet:"))
        text.remove_prefix(5);
    const auto parts = split_host_port(text);
    if (!parts)
        return std::unexpected(fmt::format("{} in server description: {}", parts.error(), destination.text));
    if (parts->host.empty())
        return std::unexpected(
            fmt::format("valid hostname or network address required in server description: {}", destination.text));
    const std::string_view service = parts->port.empty() ? default_port : parts->port;
    const auto port = service_port(service);
    if (!port)
        return std::unexpected(text::to_long(service)
                                   ? fmt::format("bad network port: {} for destination: {}", service, destination.text)
                                   : fmt::format("unknown service: {}/tcp", service));
    destination.host = parts->host;
    destination.port = *port;
    // LMTP names are never subject to MX lookups.
    destination.lookup_mx = protocol == Protocol::smtp && !parts->bracketed;
    return destination;
}

std::expected<std::vector<Destination>, std::string> parse_nexthop(std::string_view nexthop, const Settings& settings)
{
    std::vector<Destination> destinations;
    const auto add = [&](std::string_view list, bool fallback) -> std::string {
        for (const auto element : text::split(list, ", \t\r\n")) {
            auto destination = parse_destination(element, settings.protocol, settings.default_port);
            if (!destination)
                return destination.error();
            destination->fallback = fallback;
            destination->lookup_mx &= settings.dns != DnsSupport::disabled;
            destinations.push_back(std::move(*destination));
        }
        return {};
    };
    if (auto problem = add(nexthop, false); !problem.empty())
        return std::unexpected(std::move(problem));
    if (destinations.empty())
        return std::unexpected(fmt::format("null destination: \"{}\"", nexthop));
    // A local socket has no stand-in.
    if (!destinations.front().is_unix())
        if (auto problem = add(settings.fallback_relay, true); !problem.empty())
            return std::unexpected(std::move(problem));
    return destinations;
}

void order_hosts(std::vector<Host>& hosts, const Settings& settings, std::mt19937& random)
{
    if (settings.randomize)
        std::ranges::shuffle(hosts, random);
    std::ranges::stable_sort(hosts, {}, [&](const Host& host) {
        return std::tuple(host.preference, family_rank(host, settings.preference));
    });
}

void balance_protocols(std::vector<Host>& hosts, std::size_t limit)
{
    if (limit < 2 || hosts.size() <= limit)
        return;
    const auto window = hosts.begin() + static_cast<std::ptrdiff_t>(limit);
    const bool first = hosts.front().ipv6;
    const auto other = [first](const Host& host) { return host.ipv6 != first; };
    // One of the other family within the limit is what matters; two when there is room, as equals would have it.
    std::size_t wanted = limit / 2;
    std::size_t present = static_cast<std::size_t>(std::count_if(hosts.begin(), window, other));
    auto candidate = window;
    while (present < wanted) {
        candidate = std::find_if(candidate, hosts.end(), other);
        const auto victim =
            std::find_if(std::make_reverse_iterator(window), std::make_reverse_iterator(hosts.begin() + 1),
                         [&](const Host& host) { return !other(host); });
        if (candidate == hosts.end() || victim.base() == hosts.begin() + 1)
            break;
        std::iter_swap(std::prev(victim.base()), candidate);
        ++candidate;
        ++present;
    }
    std::stable_sort(hosts.begin(), window, [](const Host& a, const Host& b) { return a.preference < b.preference; });
}

bool is_self(const Host& host, const Settings& settings)
{
    return std::ranges::find(settings.own_addresses, host.address) != settings.own_addresses.end() ||
           std::ranges::find(settings.proxy_addresses, host.address) != settings.proxy_addresses.end();
}

bool cut_at_self(std::vector<Host>& hosts, const Settings& settings)
{
    const auto self = std::ranges::find_if(hosts, [&](const Host& host) { return is_self(host, settings); });
    if (self == hosts.end())
        return false;
    const std::uint32_t preference = self->preference;
    std::erase_if(hosts, [preference](const Host& host) { return host.preference >= preference; });
    return true;
}

} // namespace facteur::smtp_client
