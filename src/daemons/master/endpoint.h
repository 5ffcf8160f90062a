// Where a service listens: what the first two columns of master.cf mean as sockets. Source: master(5).
#pragma once

#include "base/fd.h"
#include "config/config.h"
#include "config/master_cf.h"
#include "net/address.h"
#include "service/privileges.h"

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::master {

struct Endpoint {
    net::SocketAddress address;
    bool datagram = false;
    std::string name; // unique: "inet 127.0.0.1 port 25", "unix private/rewrite"; a reload keeps sockets by it
};

// The sockets of one service, or why there can be none. Inet services without a host listen on inet_interfaces.
std::expected<std::vector<Endpoint>, std::string> endpoints_of(const config::MasterEntry& entry,
                                                               const config::Config& config);

// "private/rewrite", "public/cleanup": relative to the queue directory.
std::string local_socket_path(const config::MasterEntry& entry);

// What warnings call the service beside its first column: "25", "127.0.0.1:10025", "private/rewrite".
std::string listen_name(const config::MasterEntry& entry, const config::Config& config);

// A port by number, known_tcp_ports or the system's services.
std::optional<std::uint16_t> find_port(std::string_view name, const config::Config& config);

// Binds and listens. A unix socket belongs to `owner` and is writable by everyone: its directory decides who gets
// there.
std::expected<UniqueFd, std::string> open_endpoint(const Endpoint& endpoint,
                                                   const std::optional<service::Account>& owner);

} // namespace facteur::master
