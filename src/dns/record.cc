#include "dns/record.h"

#include <arpa/inet.h>
#include <netinet/in.h>

namespace facteur::dns {

namespace {

constexpr std::size_t kLongestWireName = 255;
constexpr unsigned char kLongestLabel = 63;

std::uint16_t number_at(std::string_view wire, std::size_t at)
{
    return static_cast<std::uint16_t>(static_cast<unsigned char>(wire[at]) << 8 |
                                      static_cast<unsigned char>(wire[at + 1]));
}

std::optional<Record> parse_address(Type type, std::string_view rdata)
{
    const int family = type == Type::a ? AF_INET : AF_INET6;
    if (rdata.size() != (type == Type::a ? 4U : 16U))
        return std::nullopt;
    char buffer[INET6_ADDRSTRLEN];
    if (!::inet_ntop(family, rdata.data(), buffer, sizeof buffer))
        return std::nullopt;
    return Record{.type = type, .data = buffer};
}

// `fixed` bytes of numbers, then a name that ends the record.
std::optional<Record> parse_named(Type type, std::string_view rdata, std::size_t fixed)
{
    if (rdata.size() < fixed)
        return std::nullopt;
    Record record{.type = type};
    if (fixed >= 2)
        record.preference = number_at(rdata, 0);
    if (fixed == 6) {
        record.weight = number_at(rdata, 2);
        record.port = number_at(rdata, 4);
    }
    rdata.remove_prefix(fixed);
    auto name = take_name(rdata);
    if (!name || !rdata.empty())
        return std::nullopt;
    record.data = std::move(*name);
    return record;
}

std::optional<Record> parse_text(std::string_view rdata)
{
    Record record{.type = Type::txt};
    while (!rdata.empty()) {
        const std::size_t length = static_cast<unsigned char>(rdata.front());
        if (rdata.size() < length + 1)
            return std::nullopt;
        record.data += rdata.substr(1, length);
        rdata.remove_prefix(length + 1);
    }
    return record;
}

std::optional<Record> parse_tlsa(std::string_view rdata)
{
    if (rdata.size() < 4)
        return std::nullopt;
    Record record{.type = Type::tlsa, .data = std::string(rdata.substr(3))};
    record.usage = static_cast<std::uint8_t>(rdata[0]);
    record.selector = static_cast<std::uint8_t>(rdata[1]);
    record.matching = static_cast<std::uint8_t>(rdata[2]);
    return record;
}

} // namespace

std::string_view to_string(Type type)
{
    switch (type) {
    case Type::a:
        return "A";
    case Type::cname:
        return "CNAME";
    case Type::ptr:
        return "PTR";
    case Type::mx:
        return "MX";
    case Type::txt:
        return "TXT";
    case Type::aaaa:
        return "AAAA";
    case Type::srv:
        return "SRV";
    case Type::tlsa:
        return "TLSA";
    }
    return "unknown";
}

std::optional<std::string> take_name(std::string_view& wire)
{
    std::string name;
    std::size_t at = 0;
    for (;;) {
        if (at >= wire.size() || at >= kLongestWireName)
            return std::nullopt;
        const auto length = static_cast<unsigned char>(wire[at]);
        ++at;
        if (length == 0)
            break;
        if (length > kLongestLabel || at + length > wire.size())
            return std::nullopt;
        const std::string_view label = wire.substr(at, length);
        if (label.find('.') != label.npos)
            return std::nullopt;
        if (!name.empty())
            name += '.';
        name += label;
        at += length;
    }
    wire.remove_prefix(at);
    return name;
}

std::optional<Record> parse_record(Type type, std::string_view rdata)
{
    switch (type) {
    case Type::a:
    case Type::aaaa:
        return parse_address(type, rdata);
    case Type::ptr:
    case Type::cname:
        return parse_named(type, rdata, 0);
    case Type::mx:
        return parse_named(type, rdata, 2);
    case Type::srv:
        return parse_named(type, rdata, 6);
    case Type::txt:
        return parse_text(rdata);
    case Type::tlsa:
        return parse_tlsa(rdata);
    }
    return std::nullopt;
}

} // namespace facteur::dns
