#include "daemons/qmgr/job_queue.h"

#include <gtest/gtest.h>

#include <deque>
#include <random>

namespace facteur::qmgr {
namespace {

struct Bench {
    SlotRules rules;
    JobQueue queue{rules};
    std::deque<Lane> lanes;
    std::vector<std::shared_ptr<Message>> messages;

    std::shared_ptr<Message> message(const std::string& id)
    {
        auto made = std::make_shared<Message>();
        made->id = id;
        messages.push_back(made);
        return made;
    }
    Lane& lane(bool open = true)
    {
        Lane& made = lanes.emplace_back();
        queue.set_open(made, open);
        return made;
    }
    void push(const std::shared_ptr<Message>& message, Lane& lane, std::uint32_t recipient = 0,
              Priority priority = Priority::normal, std::int64_t now = 0)
    {
        queue.push(lane, Entry{message, {recipient}, {"x"}}, priority, now);
    }
    // The ids in the order in which they leave; "" where nothing can.
    std::string drain(std::size_t most = 1000, std::int64_t now = 0)
    {
        std::string order;
        for (std::size_t i = 0; i < most; ++i) {
            const auto next = queue.pop(now);
            if (!next)
                break;
            order += next->entry.message->id;
        }
        return order;
    }
};

TEST(JobQueue, ServesMessagesInTheirOrder)
{
    Bench bench;
    Lane& lane = bench.lane();
    const auto a = bench.message("a");
    const auto b = bench.message("b");
    bench.push(a, lane);
    bench.push(b, lane);
    bench.push(a, lane, 1);
    EXPECT_EQ(bench.drain(), "aab");
    EXPECT_EQ(bench.queue.jobs(), 0U);
}

TEST(JobQueue, GoesPastAClosedLane)
{
    Bench bench;
    Lane& slow = bench.lane(false);
    Lane& fast = bench.lane();
    const auto a = bench.message("a");
    const auto b = bench.message("b");
    bench.push(a, slow);
    bench.push(b, fast);
    EXPECT_EQ(bench.drain(), "b");
    EXPECT_FALSE(bench.queue.anything_ready());
    bench.queue.set_open(slow, true);
    EXPECT_EQ(bench.drain(), "a");
}

TEST(JobQueue, AMessageServesItsDestinationsInTurn)
{
    Bench bench;
    Lane& first = bench.lane();
    Lane& second = bench.lane();
    const auto a = bench.message("a");
    for (std::uint32_t i = 0; i < 3; ++i)
        bench.push(a, first, i);
    for (std::uint32_t i = 3; i < 6; ++i)
        bench.push(a, second, i);
    std::vector<const Lane*> served;
    while (const auto next = bench.queue.pop(0))
        served.push_back(next->lane);
    EXPECT_EQ(served, (std::vector<const Lane*>{&first, &second, &first, &second, &first, &second}));
}

TEST(JobQueue, PriorityComesBeforeArrival)
{
    Bench bench;
    Lane& lane = bench.lane();
    bench.push(bench.message("b"), lane, 0, Priority::bulk);
    bench.push(bench.message("n"), lane, 0, Priority::normal);
    bench.push(bench.message("h"), lane, 0, Priority::high);
    EXPECT_EQ(bench.drain(), "hnb");
}

// With the defaults a long job lends three slots, and half of what a short one needs is excused.
TEST(JobQueue, AShortMessageOvertakesALongOne)
{
    Bench bench;
    Lane& lane = bench.lane();
    const auto list = bench.message("L");
    for (std::uint32_t i = 0; i < 1000; ++i)
        bench.push(list, lane, i);
    bench.push(bench.message("s"), lane, 0, Priority::normal, 10);
    EXPECT_EQ(bench.drain(1, 20), "s");
}

TEST(JobQueue, SlotsAreEarnedBeforeMoreAreSpent)
{
    Bench bench;
    Lane& lane = bench.lane();
    const auto list = bench.message("L");
    for (std::uint32_t i = 0; i < 1000; ++i)
        bench.push(list, lane, i);
    for (int i = 0; i < 10; ++i)
        bench.push(bench.message("s"), lane, 0, Priority::normal, 10);
    const std::string order = bench.drain(60, 20);
    const auto overtaken = static_cast<std::size_t>(std::ranges::count(order, 's'));
    EXPECT_GE(overtaken, 4U);  // the loan
    EXPECT_LE(overtaken, 10U); // and no more than was earned with it
    EXPECT_LT(order.find('L'), 10U) << order;
}

TEST(JobQueue, NobodyOvertakesWithoutSlots)
{
    Bench bench;
    bench.rules.cost = 0;
    Lane& lane = bench.lane();
    const auto list = bench.message("L");
    for (std::uint32_t i = 0; i < 100; ++i)
        bench.push(list, lane, i);
    bench.push(bench.message("s"), lane);
    EXPECT_EQ(bench.drain(), std::string(100, 'L') + "s");
}

TEST(JobQueue, AMessageCanBeTakenBack)
{
    Bench bench;
    Lane& lane = bench.lane();
    const auto a = bench.message("a");
    const auto b = bench.message("b");
    bench.push(a, lane);
    bench.push(b, lane);
    EXPECT_EQ(bench.queue.take_message(a.get()).size(), 1U);
    EXPECT_EQ(bench.queue.take_message(a.get()).size(), 0U);
    EXPECT_EQ(bench.drain(), "b");
    EXPECT_EQ(lane.waiting, 0U);
}

TEST(JobQueue, ALaneCanBeEmptied)
{
    Bench bench;
    Lane& dead = bench.lane();
    Lane& alive = bench.lane();
    const auto a = bench.message("a");
    bench.push(a, dead);
    bench.push(a, alive, 1);
    bench.push(bench.message("b"), dead);
    const auto taken = bench.queue.take_lane(dead);
    ASSERT_EQ(taken.size(), 2U);
    EXPECT_EQ(taken[0].message->id, "a");
    EXPECT_EQ(bench.drain(), "a");
}

// Whatever happens, every entry leaves exactly once.
TEST(JobQueue, LosesNothingUnderRandomUse)
{
    std::mt19937 random(7);
    Bench bench;
    for (int i = 0; i < 20; ++i)
        bench.lane(i % 3 != 0);
    std::size_t pushed = 0;
    std::size_t left = 0;
    std::int64_t now = 0;
    for (int step = 0; step < 20000; ++step) {
        ++now;
        Lane& lane = bench.lanes[random() % bench.lanes.size()];
        switch (random() % 6) {
        case 0:
        case 1:
        case 2: {
            const bool fresh = bench.messages.empty() || random() % 4 == 0;
            const auto message = fresh ? bench.message("m") : bench.messages[random() % bench.messages.size()];
            bench.push(message, lane, static_cast<std::uint32_t>(step),
                       static_cast<Priority>(message.get() == bench.messages.front().get() ? 2 : 1), now);
            ++pushed;
            break;
        }
        case 3:
            bench.queue.set_open(lane, !lane.open);
            break;
        case 4:
            left += bench.queue.pop(now) ? 1 : 0;
            break;
        default:
            if (random() % 50 == 0)
                left += bench.queue.take_lane(lane).size();
            else if (!bench.messages.empty() && random() % 20 == 0)
                left += bench.queue.take_message(bench.messages[random() % bench.messages.size()].get()).size();
            else
                left += bench.queue.pop(now) ? 1 : 0;
        }
    }
    for (Lane& lane : bench.lanes)
        bench.queue.set_open(lane, true);
    left += bench.drain(1'000'000, now).size();
    EXPECT_EQ(left, pushed);
    EXPECT_EQ(bench.queue.jobs(), 0U);
}

} // namespace
} // namespace facteur::qmgr
