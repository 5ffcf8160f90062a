// Defaults that depend on the machine: its name, its domain, the networks it trusts.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::config {

// gethostname(); a name without a dot gets the domain, "localdomain" when that is empty.
std::string machine_hostname(std::string_view domain);
// What follows the first dot of a host name when that holds a dot itself; else "localdomain".
std::string domain_of_host(std::string_view hostname);

struct NetworkSettings {
    std::string_view style;      // mynetworks_style: host, subnet, class
    std::string_view interfaces; // inet_interfaces
    std::string_view protocols;  // inet_protocols
};
// The default of mynetworks: "127.0.0.0/8 [::1]/128". Error: a setting that is no known word.
std::expected<std::string, std::string> trusted_networks(const NetworkSettings& settings);

// The machine's addresses that these settings select, as numeric text, IPv4 first. Names are resolved.
std::expected<std::vector<std::string>, std::string> own_addresses(std::string_view interfaces,
                                                                   std::string_view protocols);

} // namespace facteur::config
