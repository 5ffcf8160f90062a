#include "daemons/smtp/destination.h"
#include "daemons/smtp/ehlo.h"
#include "daemons/smtp/server_reply.h"

#include <gtest/gtest.h>

namespace facteur::smtp_client {
namespace {

TEST(Destination, Parses)
{
    const struct {
        const char* text;
        Protocol protocol;
        const char* host;
        const char* path;
        int port;
        bool mx;
    } cases[] = {
        {"example.com", Protocol::smtp, "example.com", "", 25, true},
        {"example.com:587", Protocol::smtp, "example.com", "", 587, true},
        {"example.com:submission", Protocol::smtp, "example.com", "", 587, true},
        {"[mx.example.com]", Protocol::smtp, "mx.example.com", "", 25, false},
        {"[192.0.2.1]:2525", Protocol::smtp, "192.0.2.1", "", 2525, false},
        {"[ipv6:2001:db8::1]:26", Protocol::smtp, "2001:db8::1", "", 26, false},
        {"[2001:db8::1]", Protocol::smtp, "2001:db8::1", "", 25, false},
        {"unix:private/lmtp", Protocol::lmtp, "", "private/lmtp", 0, false},
        {"inet:host:24", Protocol::lmtp, "host", "", 24, false},
        {"inet:[192.0.2.1]", Protocol::lmtp, "192.0.2.1", "", 25, false},
        {"host", Protocol::lmtp, "host", "", 25, false},
    };
    for (const auto& each : cases) {
        const auto parsed = parse_destination(each.text, each.protocol, "25");
        ASSERT_TRUE(parsed) << each.text << ": " << parsed.error();
        EXPECT_EQ(parsed->host, each.host) << each.text;
        EXPECT_EQ(parsed->unix_path, each.path) << each.text;
        EXPECT_EQ(parsed->port, each.port) << each.text;
        EXPECT_EQ(parsed->lookup_mx, each.mx) << each.text;
    }
    for (const char* const bad : {"[host", "[host]x", "host:", "host:99999", "host:no-such-service", "[]", ":25"})
        EXPECT_FALSE(parse_destination(bad, Protocol::smtp, "25")) << bad;
}

TEST(Destination, NexthopWithFallback)
{
    Settings settings;
    settings.default_port = "25";
    settings.fallback_relay = "[f.example]:26";
    const auto list = parse_nexthop("a.example, [b.example] c.example:27", settings);
    ASSERT_TRUE(list);
    ASSERT_EQ(list->size(), 4U);
    EXPECT_EQ((*list)[1].host, "b.example");
    EXPECT_TRUE((*list)[3].fallback);
    settings.dns = DnsSupport::disabled;
    EXPECT_FALSE(parse_nexthop("a.example", settings)->front().lookup_mx);
    EXPECT_EQ(parse_nexthop(" , ", settings).error(), "null destination: \" , \"");
}

std::string names(const std::vector<Host>& hosts)
{
    std::string text;
    for (const Host& host : hosts)
        text += host.name;
    return text;
}

Host host(std::string name, std::uint32_t preference, bool ipv6 = false, std::string address = "192.0.2.1")
{
    return {std::move(name), std::move(address), preference, ipv6};
}

TEST(Order, ByPreferenceThenFamily)
{
    Settings settings;
    settings.preference = AddressPreference::ipv6;
    std::mt19937 random(7);
    for (int i = 0; i < 20; ++i) {
        std::vector<Host> hosts{host("d", 20), host("b", 10), host("a", 10, true), host("c", 20, true)};
        order_hosts(hosts, settings, random);
        EXPECT_EQ(names(hosts), "abcd");
    }
    settings.preference = AddressPreference::any;
    std::set<std::string> seen;
    for (int i = 0; i < 100; ++i) {
        std::vector<Host> hosts{host("x", 5), host("a", 1), host("b", 1), host("c", 1)};
        order_hosts(hosts, settings, random);
        seen.insert(names(hosts));
    }
    EXPECT_EQ(seen.size(), 6U) << "equals come in every order";
    settings.randomize = false;
    std::vector<Host> hosts{host("x", 5), host("b", 1), host("a", 1)};
    order_hosts(hosts, settings, random);
    EXPECT_EQ(names(hosts), "bax");
}

TEST(Order, BalancesFamilies)
{
    std::vector<Host> hosts;
    for (const char c : {'a', 'b', 'c', 'd', 'e', 'f'})
        hosts.push_back(host(std::string(1, c), 1, true));
    hosts.push_back(host("4", 1));
    balance_protocols(hosts, 3);
    const auto& first = names(hosts).substr(0, 3);
    EXPECT_NE(first.find('4'), first.npos) << names(hosts);
    EXPECT_EQ(first[0], 'a');
    std::vector<Host> few{host("a", 1, true), host("4", 1)};
    balance_protocols(few, 5);
    EXPECT_EQ(names(few), "a4");
}

TEST(Order, CutsAtOurselves)
{
    Settings settings;
    settings.own_addresses = {"192.0.2.5"};
    std::vector<Host> hosts{host("a", 1), host("b", 2), host("me", 2, false, "192.0.2.5"), host("c", 3)};
    EXPECT_TRUE(cut_at_self(hosts, settings));
    EXPECT_EQ(names(hosts), "a");
    EXPECT_FALSE(cut_at_self(hosts, settings));
}

TEST(ServerReply, StatusAndText)
{
    const struct {
        const char* lines;
        int code;
        const char* status;
        const char* text;
    } cases[] = {
        {"250 ok", 250, "2.0.0", "250 ok"},
        {"250 2.1.5 ok", 250, "2.1.5", "250 2.1.5 ok"},
        {"550 2.1.5 ok", 550, "5.0.0", "550 2.1.5 ok"},
        {"550-5.7.1 a\n550 5.7.1 b", 550, "5.7.1", "550-5.7.1 a 550 5.7.1 b"},
        {"354", 354, "5.5.0", "354"},
        {"699 odd", 699, "5.5.0", "699 odd"},
        {"noise\n220 x", 220, "2.0.0", "noise 220 x"},
    };
    for (const auto& each : cases) {
        ReplyParser parser;
        std::string_view rest = each.lines;
        bool done = false;
        while (!rest.empty()) {
            const auto line = rest.substr(0, rest.find('\n'));
            rest.remove_prefix(std::min(rest.size(), line.size() + 1));
            done = parser.add(line);
        }
        ASSERT_TRUE(done) << each.lines;
        const Reply reply = parser.take();
        EXPECT_EQ(reply.code, each.code);
        EXPECT_EQ(reply.status, each.status);
        EXPECT_EQ(reply.one_line(), each.text);
    }
}

TEST(Ehlo, Features)
{
    const auto server =
        parse_ehlo("250-mx.example hello\n250-SIZE 5000\n250-pipelining\n250-AUTH=LOGIN\n250 XFORWARD NAME ADDR");
    EXPECT_EQ(server.host, "mx.example");
    EXPECT_EQ(server.size_limit, 5000U);
    EXPECT_TRUE(server.has(feature::pipelining));
    EXPECT_TRUE(server.has(feature::auth));
    EXPECT_FALSE(server.has(feature::dsn));
    EXPECT_EQ(server.xforward_bits, xforward::name | xforward::address);
    EXPECT_EQ(parse_ehlo("250-a\n250 SIZE x").bad_size_limit, "x");
    EXPECT_TRUE(greeted_by("220 **20*** 2 0").hidden);
    EXPECT_TRUE(greeted_by("220 mx.example ESMTP x").esmtp);
    EXPECT_EQ(greeted_by("220-mx.example ESMTP x").host, "mx.example");
    EXPECT_EQ(smtp::parse_ehlo_keywords("dsn, silent-discard PIPELINING nonsense"),
              feature::dsn | feature::silent | feature::pipelining);
}

} // namespace
} // namespace facteur::smtp_client
