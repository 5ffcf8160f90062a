#include "base/fd.h"
#include "dns/name.h"
#include "dns/native.h"
#include "dns/resolver.h"
#include "net/address.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <atomic>
#include <thread>

namespace facteur::dns {
namespace {

std::string wire_name(std::string_view name)
{
    std::string wire;
    while (!name.empty()) {
        const auto label = name.substr(0, name.find('.'));
        wire += static_cast<char>(label.size());
        wire += label;
        name.remove_prefix(std::min(name.size(), label.size() + 1));
    }
    wire += '\0';
    return wire;
}

std::string number(unsigned value)
{
    return {static_cast<char>(value >> 8), static_cast<char>(value & 255)};
}

// A name server on loopback that knows a few names. Names it does not know do not exist.
class TinyServer {
public:
    struct Zone {
        int rcode = 0;
        std::vector<std::pair<Type, std::string>> records;
    };

    explicit TinyServer(std::map<std::string, Zone> zones)
        : zones_(std::move(zones)), fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0))
    {
        const auto any = net::SocketAddress::from_ip("127.0.0.1", 0);
        EXPECT_EQ(::bind(fd_.get(), any->get(), any->length()), 0);
        sockaddr_storage bound{};
        socklen_t length = sizeof bound;
        ::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&bound), &length);
        port_ = net::SocketAddress(reinterpret_cast<sockaddr*>(&bound), length).port();
        const timeval patience{0, 100'000};
        ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        thread_ = std::thread([this] { serve(); });
    }
    ~TinyServer()
    {
        stopping_ = true;
        thread_.join();
    }
    [[nodiscard]] std::string address() const { return fmt::format("127.0.0.1@{}", port_); }
    std::atomic<int> asked{0};

private:
    void serve()
    {
        char packet[2048];
        while (!stopping_) {
            sockaddr_storage from{};
            socklen_t length = sizeof from;
            const auto got =
                ::recvfrom(fd_.get(), packet, sizeof packet, 0, reinterpret_cast<sockaddr*>(&from), &length);
            if (got < 12)
                continue;
            ++asked;
            const std::string reply = answer({packet, static_cast<std::size_t>(got)});
            ::sendto(fd_.get(), reply.data(), reply.size(), 0, reinterpret_cast<const sockaddr*>(&from), length);
        }
    }
    std::string answer(std::string_view query)
    {
        std::string_view rest = query.substr(12);
        const std::size_t before = rest.size();
        std::string name = *take_name(rest);
        std::ranges::transform(name, name.begin(), [](char c) { return static_cast<char>(std::tolower(c)); });
        const auto type = static_cast<Type>(static_cast<unsigned char>(rest[1]));
        const std::string question(query.substr(12, before - rest.size() + 4));
        const auto zone = zones_.find(name);
        const int rcode = zone == zones_.end() ? 3 : zone->second.rcode;
        std::string records;
        unsigned count = 0;
        if (zone != zones_.end())
            for (const auto& [kind, data] : zone->second.records) {
                if (kind != type)
                    continue;
                records += std::string("\xc0\x0c", 2) + number(static_cast<unsigned>(kind)) + number(1) + number(0) +
                           number(300) + number(static_cast<unsigned>(data.size())) + data;
                ++count;
            }
        return std::string(query.substr(0, 2)) + '\x85' + static_cast<char>(0x80 | rcode) + number(1) + number(count) +
               number(0) + number(0) + question + records;
    }

    std::map<std::string, Zone> zones_;
    UniqueFd fd_;
    std::uint16_t port_ = 0;
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

std::string mx(unsigned preference, std::string_view host)
{
    return number(preference) + wire_name(host);
}

const std::map<std::string, TinyServer::Zone> kZones{
    {"example.test",
     {0, {{Type::mx, mx(20, "b.example.test")}, {Type::mx, mx(10, "a.example.test")}, {Type::txt, "\x02hi\x01!"}}}},
    {"a.example.test", {0, {{Type::a, std::string("\x7f\0\0\x01", 4)}}}},
    {"null.test", {0, {{Type::mx, mx(0, "")}}}},
    {"bad.test", {0, {{Type::mx, mx(5, "192.0.2.1")}}}},
    {"halfbad.test", {0, {{Type::mx, mx(5, "192.0.2.1")}, {Type::mx, mx(6, "a.example.test")}}}},
    {"fail.test", {2, {}}},
    {"_25._tcp.a.example.test", {0, {{Type::tlsa, std::string("\x03\x01\x01\xaa\xbb", 5)}}}},
    {"_smtp._tcp.example.test", {0, {{Type::srv, number(1) + number(2) + number(25) + wire_name("a.example.test")}}}},
};

event::Task<void> ask(Resolver& resolver, std::string name, Type type, std::optional<LookupResult>& into)
{
    LookupResult result = co_await resolver.lookup(std::move(name), type);
    into.emplace(std::move(result));
}

LookupResult lookup(Resolver& resolver, event::Loop& loop, std::string name, Type type)
{
    std::optional<LookupResult> result;
    loop.run_until_done(ask(resolver, std::move(name), type, result));
    return *result;
}

TEST(Resolver, AnswersByType)
{
    TinyServer server(kZones);
    event::Loop loop;
    Resolver resolver(loop, {.server = server.address()});

    const auto exchangers = lookup(resolver, loop, "example.test", Type::mx);
    ASSERT_TRUE(exchangers) << exchangers.error().text;
    ASSERT_EQ(exchangers->records.size(), 2U);
    EXPECT_EQ(exchangers->records[0].preference + exchangers->records[1].preference, 30);
    EXPECT_GT(exchangers->ttl, 0U);
    EXPECT_FALSE(exchangers->validated);

    EXPECT_EQ(lookup(resolver, loop, "a.example.test", Type::a)->records.at(0).data, "127.0.0.1");
    EXPECT_EQ(lookup(resolver, loop, "example.test", Type::txt)->records.at(0).data, "hi!");
    EXPECT_EQ(lookup(resolver, loop, "_smtp._tcp.example.test", Type::srv)->records.at(0).port, 25);
    EXPECT_EQ(lookup(resolver, loop, "_25._tcp.a.example.test", Type::tlsa)->records.at(0).data, "\xaa\xbb");
    EXPECT_EQ(lookup(resolver, loop, "halfbad.test", Type::mx)->records.size(), 1U);
    const int before = server.asked;
    EXPECT_TRUE(lookup(resolver, loop, "example.test", Type::mx));
    EXPECT_EQ(server.asked, before) << "answers are remembered for their time to live";
}

TEST(Resolver, TellsFailuresApart)
{
    TinyServer server(kZones);
    event::Loop loop;
    Resolver resolver(loop, {.server = server.address()});
    const struct {
        const char* name;
        Type type;
        Failure failure;
        const char* text;
    } cases[] = {
        {"nowhere.test", Type::mx, Failure::no_domain,
         "Host or domain name not found. Name service error for name=nowhere.test type=MX: Host not found"},
        {"a.example.test", Type::mx, Failure::no_data,
         "Host or domain name not found. Name service error for name=a.example.test type=MX: Host found but no data "
         "record of requested type"},
        {"fail.test", Type::a, Failure::temporary,
         "Host or domain name not found. Name service error for name=fail.test type=A: Host not found, try again"},
        {"null.test", Type::mx, Failure::null_mx, "Domain null.test does not accept mail (nullMX)"},
        {"bad.test", Type::mx, Failure::malformed,
         "Name service error for name=bad.test type=MX: Malformed or unexpected name server reply"},
        {"-x.test", Type::a, Failure::no_domain, "Name service error for -x.test: invalid host or domain name"},
    };
    for (const auto& each : cases) {
        const auto result = lookup(resolver, loop, each.name, each.type);
        ASSERT_FALSE(result) << each.name;
        EXPECT_EQ(result.error().failure, each.failure) << each.name;
        EXPECT_EQ(result.error().text, each.text);
    }
}

TEST(Resolver, GivesUpInTime)
{
    event::Loop loop;
    const UniqueFd deaf(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const auto any = net::SocketAddress::from_ip("127.0.0.1", 0);
    ASSERT_EQ(::bind(deaf.get(), any->get(), any->length()), 0);
    sockaddr_storage bound{};
    socklen_t length = sizeof bound;
    ::getsockname(deaf.get(), reinterpret_cast<sockaddr*>(&bound), &length);
    const auto port = net::SocketAddress(reinterpret_cast<sockaddr*>(&bound), length).port();
    Resolver resolver(loop, {.server = fmt::format("127.0.0.1@{}", port), .timeout = event::milliseconds(300)});
    const auto result = lookup(resolver, loop, "slow.example", Type::a);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().failure, Failure::temporary);
}

event::Task<void> ask_system(event::WorkerPool& pool, std::string host,
                             std::expected<std::vector<std::string>, int>& into)
{
    into = co_await native_addresses(pool, std::move(host), AF_INET);
}

TEST(Native, KnowsLocalhost)
{
    event::Loop loop;
    event::WorkerPool pool(loop, 1);
    std::expected<std::vector<std::string>, int> found;
    loop.run_until_done(ask_system(pool, "localhost", found));
    ASSERT_TRUE(found);
    EXPECT_EQ(found->at(0), "127.0.0.1");
}

TEST(Name, ValidHostnames)
{
    for (const char* const good :
         {"a", "a.b", "a-b.c", "_dmarc.example.com", "3com.com", "1.2.3.4x", "xn--e1a.example"})
        EXPECT_TRUE(valid_hostname(good)) << good;
    for (const char* const bad :
         {"", ".", "a.", ".a", "a..b", "-a", "a-", "a-.b", "a.-b", "1.2.3.4", "12", "a b", "a\xc3\xa9", "[1.2.3.4]"})
        EXPECT_FALSE(valid_hostname(bad)) << bad;
    EXPECT_FALSE(valid_hostname(std::string(64, 'a')));
    EXPECT_TRUE(valid_hostname(std::string(63, 'a')));
}

TEST(Record, RefusesBrokenRdata)
{
    EXPECT_FALSE(parse_record(Type::a, "123"));
    EXPECT_FALSE(parse_record(Type::mx, "\x01"));
    EXPECT_FALSE(parse_record(Type::mx, number(1) + "\x05"
                                                    "ab"));
    EXPECT_FALSE(parse_record(Type::ptr, wire_name("a.b") + "x"));
    EXPECT_FALSE(parse_record(Type::ptr, std::string("\x03"
                                                     "a.b\0",
                                                     5)));
    EXPECT_FALSE(parse_record(Type::txt, "\x05"
                                         "ab"));
    EXPECT_FALSE(parse_record(Type::tlsa, "\x01"));
}

} // namespace
} // namespace facteur::dns
