#include "net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <cstring>

namespace facteur::net {

SocketAddress::SocketAddress(const sockaddr* address, socklen_t length)
    : length_(std::min<socklen_t>(length, sizeof storage_))
{
    std::memcpy(&storage_, address, length_);
}

std::optional<SocketAddress> SocketAddress::from_ip(std::string_view text, std::uint16_t port)
{
    const std::string copy(text);
    sockaddr_in v4{};
    if (::inet_pton(AF_INET, copy.c_str(), &v4.sin_addr) == 1) {
        v4.sin_family = AF_INET;
        v4.sin_port = htons(port);
        return SocketAddress(reinterpret_cast<const sockaddr*>(&v4), sizeof v4);
    }
    sockaddr_in6 v6{};
    if (::inet_pton(AF_INET6, copy.c_str(), &v6.sin6_addr) == 1) {
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(port);
        return SocketAddress(reinterpret_cast<const sockaddr*>(&v6), sizeof v6);
    }
    return std::nullopt;
}

std::optional<SocketAddress> SocketAddress::unix_path(std::string_view path)
{
    sockaddr_un address{};
    if (path.size() >= sizeof address.sun_path)
        return std::nullopt;
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    return SocketAddress(reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

SocketAddress SocketAddress::any(int family, std::uint16_t port)
{
    return *from_ip(family == AF_INET6 ? "::" : "0.0.0.0", port);
}

std::string SocketAddress::ip() const
{
    char buffer[INET6_ADDRSTRLEN];
    if (family() == AF_INET)
        return ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(&storage_)->sin_addr, buffer, sizeof buffer);
    if (family() == AF_INET6) {
        const auto& v6 = reinterpret_cast<const sockaddr_in6*>(&storage_)->sin6_addr;
        if (IN6_IS_ADDR_V4MAPPED(&v6))
            return ::inet_ntop(AF_INET, &v6.s6_addr[12], buffer, sizeof buffer);
        return ::inet_ntop(AF_INET6, &v6, buffer, sizeof buffer);
    }
    return "unknown";
}

std::uint16_t SocketAddress::port() const
{
    if (family() == AF_INET)
        return ntohs(reinterpret_cast<const sockaddr_in*>(&storage_)->sin_port);
    if (family() == AF_INET6)
        return ntohs(reinterpret_cast<const sockaddr_in6*>(&storage_)->sin6_port);
    return 0;
}

std::string SocketAddress::path() const
{
    return family() == AF_UNIX ? reinterpret_cast<const sockaddr_un*>(&storage_)->sun_path : "";
}

bool is_ipv4(std::string_view text)
{
    const auto address = SocketAddress::from_ip(text, 0);
    return address && address->family() == AF_INET;
}

bool is_ipv6(std::string_view text)
{
    const auto address = SocketAddress::from_ip(text, 0);
    return address && address->family() == AF_INET6;
}

} // namespace facteur::net
