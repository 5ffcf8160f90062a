// Resource records, taken out of their wire form. Source: RFC 1035 s3.3, RFC 2782, RFC 3596, RFC 6698.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace facteur::dns {

enum class Type : std::uint16_t {
    a = 1,
    cname = 5,
    ptr = 12,
    mx = 15,
    txt = 16,
    aaaa = 28,
    srv = 33,
    tlsa = 52,
};
std::string_view to_string(Type type); // "A", "MX", ...

// One record. Which members count depends on the type.
struct Record {
    Type type = Type::a;
    std::uint32_t ttl = 0;        // seconds
    std::string data;             // a, aaaa: address text. mx, ptr, srv, cname: host without final dot. txt: strings
                                  // joined. tlsa: the association data, binary.
    std::uint16_t preference = 0; // mx; priority of srv
    std::uint16_t weight = 0;     // srv
    std::uint16_t port = 0;       // srv
    std::uint8_t usage = 0;       // tlsa
    std::uint8_t selector = 0;    // tlsa
    std::uint8_t matching = 0;    // tlsa
};

// RDATA without compression, as the resolver gives it. Nothing when it is not well formed.
std::optional<Record> parse_record(Type type, std::string_view rdata);

// A name in wire form at the start of `wire` (no compression): "mx.example.com", "" for the root. Takes it off `wire`.
// Bytes that no host name holds are kept, for valid_hostname() to refuse; a '.' inside a label makes it malformed.
std::optional<std::string> take_name(std::string_view& wire);

} // namespace facteur::dns
