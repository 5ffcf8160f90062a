#include "dns/native.h"

#include "net/address.h"

#include <netdb.h>

namespace facteur::dns {

namespace {

using Addresses = std::expected<std::vector<std::string>, int>;

Addresses ask_system(const std::string& host, int family)
{
    addrinfo hints{};
    hints.ai_family = family;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    const int code = ::getaddrinfo(host.c_str(), nullptr, &hints, &list);
    if (code != 0)
        return std::unexpected(code);
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(list, ::freeaddrinfo);
    std::vector<std::string> found;
    for (const addrinfo* entry = list; entry; entry = entry->ai_next)
        if (entry->ai_family == AF_INET || entry->ai_family == AF_INET6)
            found.push_back(net::SocketAddress(entry->ai_addr, entry->ai_addrlen).ip());
    return found;
}

} // namespace

event::Task<Addresses> native_addresses(event::WorkerPool& pool, std::string host, int family)
{
    auto found = co_await pool.run([&host, family] { return ask_system(host, family); });
    co_return found;
}

} // namespace facteur::dns
