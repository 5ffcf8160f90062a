#include "daemons/cleanup/flow_gate.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace facteur::cleanup {
namespace {

using event::milliseconds;

class FlowGateTest : public testing::Test {
protected:
    FlowGateTest() { gate_.set_crowded(true); }
    // A message of ten bytes that stays until it is dropped from `inside`.
    event::Task<void> come(std::string name, FlowGate& gate)
    {
        inside_.push_back(co_await gate.pass(10));
        passed_.push_back(std::move(name));
    }
    // One that fails as soon as it is in.
    event::Task<void> come_and_go(int& count)
    {
        const auto ticket = co_await gate_.pass(10);
        ++count;
    }
    void turn() { loop_.run_until_done(rest()); }
    event::Task<void> rest() { co_await loop_.sleep(milliseconds(1)); }

    event::Loop loop_;
    bool short_ = true;
    // Nobody gives up within a test's time but where it is asked for.
    FlowGate gate_{loop_, {.window = 20, .each = 0, .longest = std::chrono::hours(1)}, [this] { return short_; }};
    std::vector<FlowGate::Ticket> inside_;
    std::vector<std::string> passed_;
};

TEST_F(FlowGateTest, WaitersComeInAsOthersLeave)
{
    for (const char* name : {"a", "b", "c", "d", "e"})
        event::spawn(come(name, gate_));
    EXPECT_EQ(passed_, (std::vector<std::string>{"a", "b"}));
    inside_.erase(inside_.begin());
    turn();
    EXPECT_EQ(passed_, (std::vector<std::string>{"a", "b", "c"}));
    inside_.clear();
    turn();
    EXPECT_EQ(passed_, (std::vector<std::string>{"a", "b", "c", "d", "e"}));
}

TEST_F(FlowGateTest, OpenWhenProcessorsAreNotTheReason)
{
    short_ = false;
    for (const char* name : {"a", "b", "c", "d", "e"})
        event::spawn(come(name, gate_));
    EXPECT_EQ(passed_.size(), 5U);
}

TEST_F(FlowGateTest, OpenWhenAgentsHaveAllThereIs)
{
    gate_.set_crowded(false);
    for (const char* name : {"a", "b", "c", "d", "e"})
        event::spawn(come(name, gate_));
    EXPECT_EQ(passed_.size(), 5U);
}

// The state of the processors is looked at again while someone waits.
TEST_F(FlowGateTest, OpensWhenProcessorsAreFreeAgain)
{
    for (const char* name : {"a", "b", "c", "d"})
        event::spawn(come(name, gate_));
    EXPECT_EQ(passed_.size(), 2U);
    short_ = false;
    while (passed_.size() < 4)
        turn();
}

TEST_F(FlowGateTest, NobodyWaitsForEver)
{
    FlowGate gate(loop_, {.window = 20, .each = 0, .longest = milliseconds(20)}, [] { return true; });
    gate.set_crowded(true);
    for (const char* name : {"a", "b", "c", "d"})
        event::spawn(come(name, gate));
    EXPECT_EQ(passed_.size(), 2U);
    while (passed_.size() < 4)
        turn();
}

TEST_F(FlowGateTest, AMessageCountsForMoreThanItsBytes)
{
    FlowGate gate(loop_, {.window = 20, .each = 10, .longest = std::chrono::hours(1)}, [] { return true; });
    gate.set_crowded(true);
    event::spawn(come("a", gate));
    event::spawn(come("b", gate));
    EXPECT_EQ(passed_.size(), 1U);
    inside_.clear();
    turn();
    EXPECT_EQ(passed_.size(), 2U);
}

TEST_F(FlowGateTest, ZeroTurnsItOff)
{
    FlowGate gate(loop_, {.window = 0, .each = 0, .longest = milliseconds(0)}, [] { return true; });
    gate.set_crowded(true);
    event::spawn(come("a", gate));
    EXPECT_EQ(passed_.size(), 1U);
}

TEST_F(FlowGateTest, ManyThatFailAtOnceDoNotStandOnEachOther)
{
    event::spawn(come("a", gate_));
    event::spawn(come("b", gate_));
    int count = 0;
    for (int i = 0; i < 20'000; ++i)
        event::spawn(come_and_go(count));
    EXPECT_EQ(count, 0);
    inside_.clear();
    while (count < 20'000)
        turn();
}

} // namespace
} // namespace facteur::cleanup
