#include "daemons/master/endpoint.h"
#include "daemons/master/plan.h"

#include <gtest/gtest.h>

namespace facteur::master {
namespace {

using config::MasterEntry;
using config::SocketType;

config::Config configuration(std::string_view text = "")
{
    auto config = config::Config::from_text(text);
    EXPECT_TRUE(config);
    return std::move(*config);
}

MasterEntry entry_of(std::string_view line, const config::Config& config)
{
    auto entries = config::parse_master_cf(line, config);
    EXPECT_TRUE(entries && entries->size() == 1) << line;
    return entries->front();
}

std::string shown(std::string_view line, int limit, std::size_t sockets = 1)
{
    const auto config = configuration();
    ServicePlan plan;
    plan.entry = entry_of(line, config);
    plan.process_limit = limit;
    plan.endpoints.resize(sockets);
    plan.adapts_to_stress = plan.entry.type == SocketType::inet && !plan.entry.is_private;
    std::string out;
    for (const std::string& word : command_line(plan, {}))
        out.append(out.empty() ? "" : " ").append(word);
    return out;
}

TEST(CommandLine, AsPsShowsIt)
{
    EXPECT_EQ(shown("smtp inet n - y - - smtpd", 100, 2), "smtpd -n smtp -t inet -u -c -o stress= -s 2");
    EXPECT_EQ(shown("pickup unix n - n 60 1 pickup", 1), "pickup -l -t unix -u");
    EXPECT_EQ(shown("pickup fifo n - n 60 1 pickup", 1), "pickup -l -t unix -u");
    EXPECT_EQ(shown("defer unix - - n - 0 bounce", 0), "bounce -z -n defer -t unix -u");
    EXPECT_EQ(shown("local unix - n n - - local", 100), "local -t unix");
    EXPECT_EQ(shown("postlog unix-dgram n - n - 1 postlogd", 1), "postlogd -l -n postlog -t unix-dgram -u");
    EXPECT_EQ(shown("2525 inet n - n - - smtpd -o a=b -v", 100), "smtpd -n 2525 -t inet -u -o stress= -o a=b -v");
}

TEST(WorkerCount, FromCoresLimitAndProgram)
{
    const auto config = configuration();
    const auto count = [&](std::string_view line, int limit, long wanted) {
        return worker_count(entry_of(line, config), limit, wanted, 8);
    };
    EXPECT_EQ(count("smtp inet n - n - - smtpd", 100, 0), 8);
    EXPECT_EQ(count("smtp inet n - n - - smtpd", 3, 0), 3);
    EXPECT_EQ(count("smtp inet n - n - - smtpd", 100, 2), 2);
    EXPECT_EQ(count("smtp inet n - n - - smtpd", 0, 0), 8);
    EXPECT_EQ(count("qmgr unix n - n 300 1 qmgr", 100, 4), 1);
    EXPECT_EQ(count("cleanup unix n - n - 0 cleanup", 0, 0), 2);
    EXPECT_EQ(count("proxywrite unix - - n - 5 proxymap", 5, 4), 1);
}

TEST(Disabled, FirstMatchDecides)
{
    const auto config = configuration();
    const auto smtp = entry_of("smtp inet n - n - - smtpd", config);
    EXPECT_TRUE(is_disabled(smtp, "inet"));
    EXPECT_TRUE(is_disabled(smtp, "smtp/inet"));
    EXPECT_TRUE(is_disabled(smtp, "unix smtp.inet"));
    EXPECT_FALSE(is_disabled(smtp, "!smtp/inet, inet"));
    EXPECT_FALSE(is_disabled(smtp, "smtp/unix"));
    EXPECT_FALSE(is_disabled(smtp, ""));
}

std::vector<std::string> names(std::string_view line, const config::Config& config)
{
    const auto endpoints = endpoints_of(entry_of(line, config), config);
    if (!endpoints)
        return {endpoints.error()};
    std::vector<std::string> out;
    for (const Endpoint& each : *endpoints)
        out.push_back(each.name);
    return out;
}

TEST(Endpoints, WhereAServiceListens)
{
    using Names = std::vector<std::string>;
    const auto v4 = configuration("inet_protocols = ipv4\ninet_interfaces = all\n");
    EXPECT_EQ(names("smtp inet n - n - - smtpd", v4), Names{"inet 0.0.0.0 port 25"});
    EXPECT_EQ(names("127.0.0.1:2525 inet n - n - - smtpd", v4), Names{"inet 127.0.0.1 port 2525"});
    EXPECT_EQ(names("127.0.0.1:submission inet n - n - - smtpd", v4), Names{"inet 127.0.0.1 port 587"});
    EXPECT_EQ(names("no-such-port inet n - n - - smtpd", v4), Names{"unknown service: no-such-port/tcp"});
    EXPECT_EQ(names("rewrite unix - - n - - trivial-rewrite", v4), Names{"unix private/rewrite"});
    EXPECT_EQ(names("cleanup unix n - n - 0 cleanup", v4), Names{"unix public/cleanup"});
    EXPECT_EQ(names("postlog unix-dgram n - n - 1 postlogd", v4), Names{"unix-dgram public/postlog"});
    const auto named = configuration("inet_protocols = ipv4\ninet_interfaces = 127.0.0.1\n");
    EXPECT_EQ(names("smtps inet n - n - - smtpd", named), Names{"inet 127.0.0.1 port 465"});
    const auto v6 = configuration("inet_protocols = all\ninet_interfaces = all\n");
    EXPECT_EQ(names("[::1]:2525 inet n - n - - smtpd", v6), Names{"inet ::1 port 2525"});
}

TEST(ListenName, AsWarningsSayIt)
{
    const auto config = configuration();
    EXPECT_EQ(listen_name(entry_of("smtp inet n - n - - smtpd", config), config), "25");
    EXPECT_EQ(listen_name(entry_of("127.0.0.1:smtp inet n - n - - smtpd", config), config), "127.0.0.1:25");
    EXPECT_EQ(listen_name(entry_of("rewrite unix - - n - - trivial-rewrite", config), config), "private/rewrite");
}

} // namespace
} // namespace facteur::master
