// Where a nexthop points: "example.com", "[host]:port", "[ipv6:addr]", "unix:path", "inet:host", several separated by
// comma or space. Pure. Source: postconf(5) relayhost, transport(5), lmtp(8).
#pragma once

#include "daemons/smtp/settings.h"
#include "net/address.h"

#include <cstdint>
#include <expected>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::smtp_client {

struct Destination {
    std::string text;      // as it was written
    std::string host;      // name or address, without brackets; empty for a unix socket
    std::string unix_path; // empty for TCP
    std::uint16_t port = 0;
    bool lookup_mx = false;
    bool fallback = false; // from smtp_fallback_relay

    [[nodiscard]] bool is_unix() const { return !unix_path.empty(); }
};

// "25" or a service's name, known to the system or to mail.
std::optional<std::uint16_t> service_port(std::string_view service);

// One element. `default_port` is a number or a service name.
std::expected<Destination, std::string> parse_destination(std::string_view text, Protocol protocol,
                                                          std::string_view default_port);
// A nexthop, then the fallback relays. An error text for the first element that makes no sense.
std::expected<std::vector<Destination>, std::string> parse_nexthop(std::string_view nexthop, const Settings& settings);

// One address to connect to.
struct Host {
    std::string name;    // of the MX host, or what was looked up
    std::string address; // numeric
    std::uint32_t preference = 0;
    bool ipv6 = false;
};

// Sorts by MX preference; equals are shuffled (smtp_randomize_addresses) and then put by address family, as
// smtp_address_preference says.
void order_hosts(std::vector<Host>& hosts, const Settings& settings, std::mt19937& random);
// smtp_balance_inet_protocols: when the first `limit` hosts are all of one family, some of the other move up.
void balance_protocols(std::vector<Host>& hosts, std::size_t limit);
// Cuts off ourselves and every host that is no better. True when we were found.
bool cut_at_self(std::vector<Host>& hosts, const Settings& settings);
bool is_self(const Host& host, const Settings& settings);

} // namespace facteur::smtp_client
