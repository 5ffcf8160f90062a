#include "daemons/master/endpoint.h"

#include "base/text.h"
#include "config/computed.h"
#include "net/stream.h"

#include <fcntl.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace facteur::master {

namespace {

using config::SocketType;

constexpr int kBacklog = 4096; // the kernel lowers it to net.core.somaxconn

// Descriptors of a worker have fixed low numbers; ours stay clear of them.
constexpr int kLowestOwnFd = 256;

struct HostPort {
    std::string_view host; // empty: inet_interfaces
    std::string_view port;
};

HostPort split_host_port(std::string_view name)
{
    if (name.starts_with('[')) {
        const auto close = name.find(']');
        if (close != name.npos && name.substr(close + 1).starts_with(':'))
            return {name.substr(1, close - 1), name.substr(close + 2)};
        return {{}, name};
    }
    const auto colon = name.rfind(':');
    if (colon == name.npos)
        return {{}, name};
    return {name.substr(0, colon), name.substr(colon + 1)};
}

bool wants_family(std::string_view protocols, std::string_view family)
{
    for (const auto word : text::split_list(protocols))
        if (word == "all" || word == family)
            return true;
    return false;
}

Endpoint inet_endpoint(net::SocketAddress address)
{
    return {address, false, fmt::format("inet {} port {}", address.ip(), address.port())};
}

// Is there IPv6 at all on this machine?
bool ipv6_works()
{
    return static_cast<bool>(UniqueFd(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)));
}

std::vector<Endpoint> wildcard_endpoints(std::uint16_t port, std::string_view protocols)
{
    std::vector<Endpoint> out;
    if (wants_family(protocols, "ipv4"))
        out.push_back(inet_endpoint(net::SocketAddress::any(AF_INET, port)));
    if (wants_family(protocols, "ipv6") && ipv6_works())
        out.push_back(inet_endpoint(net::SocketAddress::any(AF_INET6, port)));
    return out;
}

std::expected<std::vector<Endpoint>, std::string> inet_endpoints(const config::MasterEntry& entry,
                                                                 const config::Config& config)
{
    const HostPort where = split_host_port(entry.name);
    const auto port = find_port(where.port, config);
    if (!port)
        return std::unexpected(fmt::format("unknown service: {}/tcp", where.port));
    const std::string& protocols = config.get(config::params::inet_protocols);
    const std::string& interfaces = config.get(config::params::inet_interfaces);
    if (where.host.empty() && text::iequals(text::trim(interfaces), "all"))
        return wildcard_endpoints(*port, protocols);
    const auto addresses =
        config::own_addresses(where.host.empty() ? std::string_view(interfaces) : where.host, protocols);
    if (!addresses)
        return std::unexpected(addresses.error());
    std::vector<Endpoint> out;
    for (const std::string& ip : *addresses)
        if (const auto address = net::SocketAddress::from_ip(ip, *port))
            out.push_back(inet_endpoint(*address));
    if (out.empty())
        return std::unexpected(
            fmt::format("host not found: {}", where.host.empty() ? interfaces : std::string(where.host)));
    return out;
}

std::expected<UniqueFd, SystemError> bind_datagram(const Endpoint& endpoint)
{
    UniqueFd fd(::socket(endpoint.address.family(), SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd)
        return std::unexpected(SystemError::last("socket", endpoint.name));
    ::unlink(endpoint.address.path().c_str());
    const int size = 4 << 20; // lines wait here while the logger is restarted
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    if (::bind(fd.get(), endpoint.address.get(), endpoint.address.length()) != 0)
        return std::unexpected(SystemError::last("bind", endpoint.address.path()));
    return fd;
}

std::expected<UniqueFd, SystemError> bind_local(const Endpoint& endpoint, const std::optional<service::Account>& owner)
{
    // As the owner: the directory is theirs, and root must not follow what they may have put there.
    const service::ActAs act(owner ? owner->uid : ::geteuid(), owner ? owner->gid : ::getegid());
    if (!act.ok())
        return std::unexpected(SystemError{"seteuid", owner ? owner->name : "", EPERM});
    const mode_t old = ::umask(0111);
    auto fd = endpoint.datagram ? bind_datagram(endpoint) : net::listen_on(endpoint.address, kBacklog);
    ::umask(old);
    return fd;
}

} // namespace

std::optional<std::uint16_t> find_port(std::string_view name, const config::Config& config)
{
    const auto in_range = [](std::string_view digits) -> std::optional<std::uint16_t> {
        const auto number = text::to_long(digits);
        if (!number || *number < 1 || *number > 65535)
            return std::nullopt;
        return static_cast<std::uint16_t>(*number);
    };
    if (!name.empty() && text::is_digit(name.front()))
        return in_range(name);
    // known_tcp_ports: "smtps=submissions=465, ..."
    for (const auto group : text::split_list(config.get(config::params::known_tcp_ports))) {
        const auto words = text::split(group, "=");
        for (std::size_t i = 0; i + 1 < words.size(); ++i)
            if (text::iequals(words[i], name))
                return in_range(words.back());
    }
    servent entry{};
    servent* found = nullptr;
    char buffer[4096];
    ::getservbyname_r(std::string(name).c_str(), "tcp", &entry, buffer, sizeof buffer, &found);
    if (!found)
        return std::nullopt;
    return ntohs(static_cast<std::uint16_t>(found->s_port));
}

std::string local_socket_path(const config::MasterEntry& entry)
{
    return (entry.is_private ? "private/" : "public/") + entry.name;
}

std::string listen_name(const config::MasterEntry& entry, const config::Config& config)
{
    if (entry.type != SocketType::inet)
        return local_socket_path(entry);
    const HostPort where = split_host_port(entry.name);
    const auto port = find_port(where.port, config);
    const std::string number = port ? std::to_string(*port) : std::string(where.port);
    return where.host.empty() ? number : fmt::format("{}:{}", where.host, number);
}

std::expected<std::vector<Endpoint>, std::string> endpoints_of(const config::MasterEntry& entry,
                                                               const config::Config& config)
{
    if (entry.type == SocketType::inet)
        return inet_endpoints(entry, config);
    if (entry.name.find('/') != entry.name.npos || entry.name.starts_with('.'))
        return std::unexpected(fmt::format("bad service name: {}", entry.name));
    const std::string path = local_socket_path(entry);
    const auto address = net::SocketAddress::unix_path(path);
    if (!address)
        return std::unexpected(fmt::format("service name too long: {}", entry.name));
    const bool datagram = entry.type == SocketType::unix_dgram;
    return std::vector<Endpoint>{{*address, datagram, (datagram ? "unix-dgram " : "unix ") + path}};
}

std::expected<UniqueFd, std::string> open_endpoint(const Endpoint& endpoint,
                                                   const std::optional<service::Account>& owner)
{
    auto fd =
        endpoint.address.family() == AF_UNIX ? bind_local(endpoint, owner) : net::listen_on(endpoint.address, kBacklog);
    if (!fd)
        return std::unexpected(
            fmt::format("{} {}: {}", fd.error().operation, fd.error().subject, errno_text(fd.error().code)));
    const int high = ::fcntl(fd->get(), F_DUPFD_CLOEXEC, kLowestOwnFd);
    if (high < 0)
        return std::unexpected("dup " + endpoint.name + ": " + errno_text(errno));
    return UniqueFd(high);
}

} // namespace facteur::master
