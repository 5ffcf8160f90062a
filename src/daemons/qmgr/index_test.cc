#include "daemons/qmgr/index.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <set>

namespace facteur::qmgr {
namespace {

std::vector<std::pair<std::string, std::string>> pending_of(const Message& message)
{
    std::vector<std::pair<std::string, std::string>> seen;
    message.each_pending(
        [&](std::string_view address, const SharedText& reason) { seen.emplace_back(address, reason.view()); });
    return seen;
}

TEST(Message, ShowsItsPendingRecipients)
{
    Message message;
    EXPECT_TRUE(pending_of(message).empty());
    message.set_pending({{"a@x.example", SharedText("busy")}, {"b@x.example", SharedText("busy")}});
    EXPECT_EQ(pending_of(message),
              (std::vector<std::pair<std::string, std::string>>{{"a@x.example", "busy"}, {"b@x.example", "busy"}}));
    message.set_pending(
        {{"a@x.example", SharedText("busy")}, {"b@y.example", SharedText("full")}, {"c@z.example", {}}});
    EXPECT_EQ(pending_of(message), (std::vector<std::pair<std::string, std::string>>{
                                       {"a@x.example", "busy"}, {"b@y.example", "full"}, {"c@z.example", ""}}));
    message.set_pending({});
    EXPECT_TRUE(pending_of(message).empty());
}

TEST(Message, AnActiveOneShowsItsEnvelope)
{
    Message message;
    message.active = std::make_unique<Active>();
    for (const char* address : {"a@x.example", "b@x.example", "c@x.example"})
        message.active->envelope.add_recipients()->set_address(address);
    message.active->done = {false, true, false};
    message.active->deferral_reason = {{}, {}, SharedText("later")};
    EXPECT_EQ(pending_of(message),
              (std::vector<std::pair<std::string, std::string>>{{"a@x.example", ""}, {"c@x.example", "later"}}));
}

TEST(SharedText, KeepsEachTextOnce)
{
    const std::size_t before = SharedText::distinct();
    {
        const SharedText a("connection refused");
        SharedText b(std::string("connection ") + "refused");
        EXPECT_EQ(a, b);
        EXPECT_EQ(SharedText::distinct(), before + 1);
        b = SharedText("timed out");
        EXPECT_EQ(SharedText::distinct(), before + 2);
        const SharedText c = b;
        EXPECT_EQ(c.view(), "timed out");
    }
    EXPECT_EQ(SharedText::distinct(), before);
    EXPECT_TRUE(SharedText("").empty());
}

std::vector<std::string> ids_after(const MessageIndex& index, std::string_view cursor, std::size_t count = 1'000'000)
{
    std::vector<std::string> ids;
    index.walk(cursor, [&](const MessagePtr& message) {
        ids.push_back(message->id);
        return ids.size() < count;
    });
    return ids;
}

TEST(MessageIndex, IsWalkedInTheOrderOfIds)
{
    MessageIndex index;
    for (const char* id : {"C", "A", "B"})
        index.add(id);
    EXPECT_EQ(ids_after(index, "", 2), (std::vector<std::string>{"A", "B"}));
    EXPECT_EQ(ids_after(index, "B"), (std::vector<std::string>{"C"}));
    EXPECT_TRUE(ids_after(index, "C").empty());
    index.erase(index.find("B"));
    EXPECT_EQ(index.find("B"), nullptr);
    EXPECT_EQ(index.size(), 2U);
    EXPECT_EQ(ids_after(index, "AA"), (std::vector<std::string>{"C"}));
    EXPECT_TRUE(ids_after(MessageIndex(), "").empty());
}

// Whatever comes and goes in whatever order, the index is what a sorted set would be.
TEST(MessageIndex, ManyComeAndGo)
{
    MessageIndex index;
    std::set<std::string> model;
    std::mt19937 random(5);
    const auto compare = [&] {
        ASSERT_EQ(index.size(), model.size());
        EXPECT_EQ(ids_after(index, ""), std::vector<std::string>(model.begin(), model.end()));
        const std::string cursor = std::to_string(random() % 5000);
        EXPECT_EQ(ids_after(index, cursor), std::vector<std::string>(model.upper_bound(cursor), model.end()));
    };
    for (int round = 0; round < 4; ++round) {
        for (int i = 0; i < 3000; ++i)
            if (const std::string id = std::to_string(random() % 5000); model.insert(id).second)
                index.add(id);
        compare();
        for (int i = 0; i < 9000; ++i) {
            const std::string id = std::to_string(random() % 5000);
            const MessagePtr found = index.find(id);
            ASSERT_EQ(found != nullptr, model.erase(id) == 1);
            if (found)
                index.erase(found);
        }
        compare();
    }
    // In order, as ids that begin with the time are: the shelves are filled, not halved.
    for (int i = 10000; i < 14000; ++i)
        if (model.insert(std::to_string(i)).second)
            index.add(std::to_string(i));
    compare();
}

TEST(MessageIndex, GivesDueMessagesInTheirOrder)
{
    MessageIndex index;
    std::mt19937 random(3);
    for (int i = 0; i < 1000; ++i) {
        const MessagePtr message = index.add(std::to_string(i));
        message->next_try_seconds = static_cast<std::int64_t>(random() % 500);
        index.defer(message);
    }
    for (int i = 0; i < 1000; i += 3)
        index.wake(index.find(std::to_string(i)));
    for (int i = 0; i < 1000; i += 9) {
        const MessagePtr message = index.find(std::to_string(i));
        message->next_try_seconds = 77;
        index.defer(message);
    }
    std::int64_t last = -1;
    std::size_t taken = 0;
    while (const MessagePtr message = index.take_due(250)) {
        EXPECT_GE(message->next_try_seconds, last);
        last = message->next_try_seconds;
        ++taken;
    }
    EXPECT_GT(taken, 300U);
    EXPECT_GT(index.next_due(), 250);
    index.all_due_now(100);
    EXPECT_EQ(index.next_due(), 100);
    while (index.take_due(100))
        ++taken;
    EXPECT_EQ(taken, 1000U - 334U + 112U);
    EXPECT_EQ(index.next_due(), std::numeric_limits<std::int64_t>::max());
}

} // namespace
} // namespace facteur::qmgr
