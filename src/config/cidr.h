// Addresses and networks, as mynetworks and cidr tables write them: "192.0.2.0/24", "[2001:db8::]/32", "::1".
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>

struct sockaddr;

namespace facteur::config {

// An IPv4 or IPv6 address.
class Address {
public:
    static std::optional<Address> parse(std::string_view text); // no brackets, no scope
    static std::optional<Address> from_socket(const sockaddr& address);

    [[nodiscard]] bool is_ipv4() const { return size_ == 4; }
    [[nodiscard]] int bits() const { return size_ * 8; }
    [[nodiscard]] std::span<const std::uint8_t> bytes() const
    {
        return {bytes_.data(), static_cast<std::size_t>(size_)};
    }
    [[nodiscard]] Address masked(int prefix) const;
    [[nodiscard]] std::string text() const;

    friend bool operator==(const Address&, const Address&) = default;

private:
    std::array<std::uint8_t, 16> bytes_{};
    int size_ = 4;
};

struct Network {
    Address base;
    int prefix = 0;
    [[nodiscard]] bool contains(const Address& address) const;

    // "address/bits", "[address]/bits", "address" or "[address]". Errors in Postfix's words: "bad net/mask pattern:
    // ...", "non-null host address bits in ...".
    static std::expected<Network, std::string> parse(std::string_view pattern);
};

} // namespace facteur::config
