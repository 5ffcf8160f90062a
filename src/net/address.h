// Socket addresses and how mail writes them. Source: RFC 5321 s4.1.3, inet_pton(3).
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace facteur::net {

// A socket address of any family that fits sockaddr_storage.
class SocketAddress {
public:
    SocketAddress() = default;
    SocketAddress(const sockaddr* address, socklen_t length);

    // "192.0.2.1" or "2001:db8::1" (no brackets); nothing else, never a name.
    static std::optional<SocketAddress> from_ip(std::string_view text, std::uint16_t port);
    static std::optional<SocketAddress> unix_path(std::string_view path); // nothing when too long
    static SocketAddress any(int family, std::uint16_t port);

    [[nodiscard]] int family() const { return storage_.ss_family; }
    [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage_); }
    [[nodiscard]] socklen_t length() const { return length_; }
    [[nodiscard]] std::string ip() const; // "192.0.2.1", "2001:db8::1"; "unknown" for unix sockets. v4-mapped as IPv4
    [[nodiscard]] std::uint16_t port() const;
    [[nodiscard]] std::string path() const; // of a unix socket

private:
    sockaddr_storage storage_{};
    socklen_t length_ = 0;
};

bool is_ipv4(std::string_view text);
bool is_ipv6(std::string_view text);

} // namespace facteur::net
