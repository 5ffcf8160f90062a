#include "queue/standing_rules.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace facteur::queue {
namespace {

constexpr std::int64_t kNow = 1'800'000'000;

Selection where(std::string_view text)
{
    auto selection = Selection::parse(text);
    EXPECT_TRUE(selection.has_value()) << text;
    return std::move(*selection);
}

Envelope from_account(std::string_view user)
{
    Envelope envelope;
    envelope.set_sender("joe@box.example");
    envelope.set_message_id("<1@box.example>");
    envelope.mutable_origin()->set_client_name("host.example");
    envelope.mutable_origin()->set_client_address("192.0.2.7");
    envelope.mutable_origin()->set_sasl_username(std::string(user));
    envelope.add_recipients()->set_address("a@one.example");
    envelope.add_recipients()->set_address("b@two.example");
    return envelope;
}

class Rules : public testing::Test {
protected:
    void SetUp() override
    {
        char name[] = "/tmp/facteur-rules-XXXXXX";
        root_ = ::mkdtemp(name);
    }
    void TearDown() override { std::filesystem::remove_all(root_); }
    StandingRules opened()
    {
        auto rules = StandingRules::open(root_);
        EXPECT_TRUE(rules.has_value());
        EXPECT_TRUE(rules->refresh().has_value());
        return std::move(*rules);
    }
    std::string root_;
};

TEST_F(Rules, NoFileMeansNoRules)
{
    EXPECT_FALSE(opened().decide(from_account("joe"), "ABCDEF0123", 100, kNow).has_value());
    EXPECT_FALSE(StandingRules::open(root_ + "/absent").has_value());
}

TEST_F(Rules, TheFirstOneThatChoosesDecidesUntilItEnds)
{
    auto writer = opened();
    EXPECT_EQ(writer.add(RuleAction::hold, where("sasl_user = joe"), kNow + 7200, kNow), 1U);
    EXPECT_EQ(writer.add(RuleAction::remove, where("recipient ~ @one"), kNow + 3600, kNow), 2U);
    auto reader = opened();
    ASSERT_EQ(reader.rules().size(), 2U);
    const auto held = reader.decide(from_account("joe"), "ABCDEF0123", 100, kNow + 10);
    ASSERT_TRUE(held.has_value());
    EXPECT_EQ(held->action, RuleAction::hold);
    EXPECT_EQ(held->rule, 1U);
    EXPECT_EQ(reader.decide(from_account("ann"), "ABCDEF0123", 100, kNow + 10)->rule, 2U);
    EXPECT_FALSE(reader.decide(from_account("ann"), "ABCDEF0123", 100, kNow + 3600).has_value());
    EXPECT_TRUE(reader.decide(from_account("joe"), "ABCDEF0123", 100, kNow + 3600).has_value());
}

TEST_F(Rules, WhatIsKnownAtArrivalCanBeAsked)
{
    auto rules = opened();
    for (const auto* text : {"sender = joe@box.example", "sender_domain = box.example", "recipient = b@two.example",
                             "domain = one.example", "client = 192.0.2.7", "client = 'host.example[192.0.2.7]'",
                             "message_id ~ box", "size >= 100", "recipients = 2", "id = abcdef0123"}) {
        const auto number = rules.add(RuleAction::expire, where(text), kNow + 10, kNow);
        ASSERT_TRUE(number.has_value());
        EXPECT_TRUE(rules.decide(from_account(""), "ABCDEF0123", 100, kNow).has_value()) << text;
        EXPECT_FALSE(unfit_for_rules(where(text)).has_value());
        EXPECT_TRUE(rules.remove(*number, kNow).value());
    }
    for (const auto* text : {"size > 1 and age > 2d", "size > 1 and reason ~ x", "size > 1 and queue = hold"})
        EXPECT_EQ(unfit_for_rules(where(text))->offset, 13U) << text;
}

TEST_F(Rules, ReadersFollowTheFile)
{
    auto reader = opened();
    auto writer = opened();
    EXPECT_TRUE(writer.add(RuleAction::hold, where("sasl_user = joe"), kNow + 7200, kNow).has_value());
    EXPECT_TRUE(reader.refresh().has_value());
    EXPECT_EQ(reader.rules().size(), 1U);
    EXPECT_FALSE(writer.remove(9, kNow).value());
    EXPECT_TRUE(writer.remove(1, kNow).value());
    EXPECT_TRUE(reader.refresh().has_value());
    EXPECT_TRUE(reader.rules().empty());
    std::filesystem::remove(root_ + "/standing_rules");
    EXPECT_TRUE(reader.refresh().has_value());
}

TEST_F(Rules, NumbersDoNotMoveAndWhatIsOverGoes)
{
    auto rules = opened();
    EXPECT_EQ(rules.add(RuleAction::hold, where("sender = a@b"), kNow + 10, kNow), 1U);
    EXPECT_EQ(rules.add(RuleAction::hold, where("sender = c@d"), kNow + 100, kNow), 2U);
    EXPECT_EQ(rules.add(RuleAction::hold, where("sender =\ne@f"), kNow + 100, kNow + 50), 3U);
    const auto after = opened();
    ASSERT_EQ(after.rules().size(), 2U);
    EXPECT_EQ(after.rules().front().number, 2U);
    EXPECT_EQ(after.rules().back().where.text(), "sender = e@f");
}

TEST(RulesFile, WhatMakesNoSenseIsPassedOver)
{
    const auto parsed = parse_rules("# note\n"
                                    "1 1 2 hold sender = x\n"
                                    "x 1 2 hold sender = x\n"
                                    "2 1 hold sender = x\n"
                                    "3 1 2 burn sender = x\n"
                                    "4 1 2 delete sender\n"
                                    "5 1 2 expire size > 10k"); // cut before its newline
    ASSERT_EQ(parsed.rules.size(), 2U);
    EXPECT_EQ(parsed.rules[1].number, 5U);
    EXPECT_EQ(parsed.rules[1].action, RuleAction::expire);
    EXPECT_EQ(parsed.problems.size(), 4U);
    EXPECT_EQ(parse_rules(format_rules(parsed.rules)).rules.size(), 2U);
}

} // namespace
} // namespace facteur::queue
