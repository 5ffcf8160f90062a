#include "daemons/anvil/counters.h"

#include <gtest/gtest.h>

namespace facteur::anvil {
namespace {

constexpr auto kConnect = ipc::AnvilRequest::CONNECT;
constexpr auto kDisconnect = ipc::AnvilRequest::DISCONNECT;
constexpr auto kMessage = ipc::AnvilRequest::MESSAGE;

struct CountersTest : testing::Test {
    Counters counters{std::chrono::seconds(60)};
    Clock::time_point now{std::chrono::hours(1)};
    ipc::AnvilReply count(Operation operation, std::string_view address = "192.0.2.1",
                          std::string_view service = "smtp")
    {
        return counters.count(operation, service, address, now, std::chrono::system_clock::time_point{});
    }
};

TEST_F(CountersTest, CountsConnectionsAndRatesPerClientAndService)
{
    EXPECT_EQ(count(kConnect).connections(), 1u);
    EXPECT_EQ(count(kConnect).connections(), 2u);
    EXPECT_EQ(count(kConnect, "192.0.2.2").connections(), 1u);
    EXPECT_EQ(count(kConnect, "192.0.2.1", "submission").connections(), 1u);
    EXPECT_EQ(count(kDisconnect).connections(), 1u);
    const auto reply = count(kConnect);
    EXPECT_EQ(reply.connections(), 2u);
    EXPECT_EQ(reply.rate(), 3u);
    EXPECT_EQ(count(kMessage).rate(), 1u);
    EXPECT_EQ(count(kMessage).message_rate(), 2u);
}

TEST_F(CountersTest, RatesStartAnewWithTheTimeUnit)
{
    count(kConnect);
    count(kConnect);
    now += std::chrono::seconds(61);
    const auto reply = count(kConnect);
    EXPECT_EQ(reply.rate(), 1u);
    EXPECT_EQ(reply.connections(), 3u);
}

TEST_F(CountersTest, ForgetsOnlyIdleClients)
{
    count(kConnect);
    count(kConnect, "192.0.2.2");
    count(kDisconnect, "192.0.2.2");
    now += std::chrono::seconds(61);
    counters.forget_idle(now);
    EXPECT_EQ(counters.size(), 1u);
    count(kDisconnect, "192.0.2.9");
    EXPECT_EQ(counters.size(), 1u);
}

TEST_F(CountersTest, ReportsPeaksOnce)
{
    count(kConnect);
    count(kConnect);
    count(kDisconnect);
    const auto lines = counters.report();
    ASSERT_EQ(lines.size(), 3u);
    EXPECT_TRUE(lines[0].starts_with("statistics: max connection rate 2/60s for (smtp:192.0.2.1) at ")) << lines[0];
    EXPECT_TRUE(lines[1].starts_with("statistics: max connection count 2 for (smtp:192.0.2.1) at ")) << lines[1];
    EXPECT_TRUE(lines[2].starts_with("statistics: max cache size 1 at ")) << lines[2];
    EXPECT_TRUE(counters.report().empty());
}

} // namespace
} // namespace facteur::anvil
