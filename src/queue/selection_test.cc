#include "queue/selection.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

namespace facteur::queue {
namespace {

// A message of which some things are known. Notes what it was asked.
class Message final : public Facts {
public:
    std::optional<std::span<const std::string_view>> texts(Field field) override
    {
        asked.push_back(field);
        const auto found = texts_.find(field);
        if (found == texts_.end())
            return std::nullopt;
        return std::span<const std::string_view>(found->second);
    }
    std::optional<std::int64_t> number(Field field) override
    {
        asked.push_back(field);
        const auto found = numbers_.find(field);
        return found == numbers_.end() ? std::nullopt : std::optional(found->second);
    }
    std::vector<Field> asked;

private:
    std::map<Field, std::vector<std::string_view>> texts_{
        {Field::id, {"5A04BA72140"}},
        {Field::queue, {"deferred"}},
        {Field::sender, {"News@Example.com"}},
        {Field::sender_domain, {"example.com"}},
        {Field::recipient, {"a@one.example", "b@mail.two.example"}},
        {Field::domain, {"one.example", "mail.two.example"}},
        {Field::client, {"host.example", "192.0.2.7", "host.example[192.0.2.7]"}},
        {Field::sasl_user, {""}},
        {Field::message_id, {"<1@x>"}},
        {Field::reason, {"connect to mail.two.example[192.0.2.1]:25: Connection refused"}},
    };
    std::map<Field, std::int64_t> numbers_{{Field::age, 2 * 86400 + 1}, {Field::size, 10240}, {Field::recipients, 2}};
};

struct Case {
    std::string_view text;
    Truth truth;
};

class Matches : public testing::TestWithParam<Case> {};

TEST_P(Matches, AsWritten)
{
    const auto selection = Selection::parse(GetParam().text);
    ASSERT_TRUE(selection.has_value()) << selection.error().show(GetParam().text);
    Message message;
    EXPECT_EQ(selection->matches(message), GetParam().truth) << GetParam().text;
}

INSTANTIATE_TEST_SUITE_P(
    Texts, Matches,
    testing::Values(Case{"sender = news@example.com", Truth::yes}, Case{"sender=<NEWS@EXAMPLE.COM>", Truth::yes},
                    Case{"sender = @example.com", Truth::yes}, Case{"sender = @xample.com", Truth::no},
                    Case{"sender = <>", Truth::no}, Case{"sender != ''", Truth::yes},
                    Case{"sender-domain == EXAMPLE.com", Truth::yes}, Case{"from ~ ^news@", Truth::yes},
                    Case{"recipient = b@mail.two.example", Truth::yes}, Case{"recipient != a@one.example", Truth::no},
                    Case{"to !~ two", Truth::no}, Case{"to !~ three", Truth::yes},
                    Case{R"(recipient ~ @one\.example$)", Truth::yes}, Case{R"(recipient ~ (a|c)@one)", Truth::yes},
                    Case{"domain = .two.example", Truth::yes}, Case{"domain = two.example", Truth::no},
                    Case{"domain = .one.example", Truth::no}, Case{"client = 192.0.2.7", Truth::yes},
                    Case{"client = 'HOST.example[192.0.2.7]'", Truth::yes}, Case{"sasl_user = ''", Truth::yes},
                    Case{"sasl_username != joe", Truth::yes}, Case{"message-id = <1@x>", Truth::yes},
                    Case{"reason ~ 'connection refused'", Truth::yes}, Case{"queue = DEFERRED", Truth::yes},
                    Case{"id = 5a04ba72140", Truth::yes}, Case{R"(reason ~ "Connection \"?refused")", Truth::yes}));

INSTANTIATE_TEST_SUITE_P(Numbers, Matches,
                         testing::Values(Case{"age > 2d", Truth::yes}, Case{"age>2d1s", Truth::no},
                                         Case{"age >= 2d1s", Truth::yes}, Case{"age < 1w", Truth::yes},
                                         Case{"age <= 172800", Truth::no}, Case{"size = 10k", Truth::yes},
                                         Case{"size != 10K", Truth::no}, Case{"size < 1m", Truth::yes},
                                         Case{"size >= 1g", Truth::no}, Case{"recipients = 2", Truth::yes},
                                         Case{"nrcpt > 100", Truth::no}));

INSTANTIATE_TEST_SUITE_P(
    Logic, Matches,
    testing::Values(Case{"queue = hold or age > 1d", Truth::yes}, Case{"queue = hold and age > 1d", Truth::no},
                    Case{"not queue = hold", Truth::yes}, Case{"! (queue = hold)", Truth::yes},
                    Case{"NOT not queue = hold", Truth::no}, Case{"(((age > 1d)))", Truth::yes},
                    Case{"queue = hold and age > 1d or size = 10k", Truth::yes},
                    Case{"queue = hold and (age > 1d or size = 10k)", Truth::no},
                    Case{"(sender ~ news)and(size=10k)", Truth::yes},
                    // The transport is not known.
                    Case{"transport = smtp", Truth::unknown}, Case{"transport != smtp", Truth::unknown},
                    Case{"not transport = smtp", Truth::unknown}, Case{"transport = smtp and queue = hold", Truth::no},
                    Case{"transport = smtp or queue = deferred", Truth::yes},
                    Case{"transport = smtp and queue = deferred", Truth::unknown},
                    Case{"transport = smtp or queue = hold", Truth::unknown}));

TEST(Selection, ASenderWithoutAddressIsFoundByEitherName)
{
    class Notice final : public Facts {
    public:
        std::optional<std::span<const std::string_view>> texts(Field) override
        {
            static constexpr std::string_view kEmpty[] = {""};
            return kEmpty;
        }
        std::optional<std::int64_t> number(Field) override { return std::nullopt; }
    };
    Notice notice;
    for (const auto* text : {"sender = <>", "sender = ''", "sender = MAILER-DAEMON", "sender ~ ^$",
                             "sender ~ ^mailer-daemon$", "not sender ~ @"})
        EXPECT_EQ(Selection::parse(text)->matches(notice), Truth::yes) << text;
}

TEST(Selection, CheapQuestionsComeFirst)
{
    Message message;
    const auto selection = Selection::parse("transport = x and reason ~ y and (client = z or id = A) and queue = hold");
    EXPECT_EQ(selection->matches(message), Truth::no);
    EXPECT_EQ(message.asked, std::vector<Field>{Field::queue});
    EXPECT_TRUE(selection->uses(Field::reason));
    EXPECT_FALSE(selection->uses(Field::sender));
    EXPECT_EQ(selection->where_used(Field::reason), 18U);
}

TEST(Selection, AnExpressionThatBacktracksForeverIsUnknown)
{
    class Long final : public Facts {
    public:
        std::optional<std::span<const std::string_view>> texts(Field) override { return std::span(&text_, 1); }
        std::optional<std::int64_t> number(Field) override { return std::nullopt; }

    private:
        std::string bytes_ = std::string(100, 'a') + "!";
        std::string_view text_ = bytes_;
    };
    Long text;
    EXPECT_EQ(Selection::parse("reason ~ ^(a+)+$")->matches(text), Truth::unknown);
}

struct Wrong {
    std::string text;
    std::size_t offset;
    std::string_view problem;
};

class Refused : public testing::TestWithParam<Wrong> {};

TEST_P(Refused, PointsAtThePlace)
{
    const auto selection = Selection::parse(GetParam().text);
    ASSERT_FALSE(selection.has_value());
    EXPECT_EQ(selection.error().offset, GetParam().offset) << selection.error().show(GetParam().text);
    EXPECT_NE(selection.error().problem.find(GetParam().problem), std::string::npos) << selection.error().problem;
}

INSTANTIATE_TEST_SUITE_P(
    Places, Refused,
    testing::Values(Wrong{"", 0, "expected a field: id, queue, age"}, Wrong{"recipent ~ x", 0, "no such field"},
                    Wrong{"sender > x", 7, "operator of sender: = != ~ !~"}, Wrong{"age ~ 2d", 4, "operator of age"},
                    Wrong{"age", 3, "operator"}, Wrong{"age > 2y", 6, "90s"}, Wrong{"age > 2d3", 6, "90s"},
                    Wrong{"age > 99999999999999999999", 6, "90s"}, Wrong{"size > big", 7, "10k"},
                    Wrong{"recipients > 1k", 13, "a number"}, Wrong{"sender =", 8, "expected a value"},
                    Wrong{"sender = 'x", 9, "quote is not closed"}, Wrong{"(sender = x", 0, "is not closed"},
                    Wrong{"(sender = x y", 12, "closing parenthesis"}, Wrong{"sender = x)", 10, "was not opened"},
                    Wrong{"sender = x sender = y", 11, "\"and\", \"or\""}, Wrong{"sender = x and", 14, "a field"},
                    Wrong{"queue = deferrred", 8, "no such queue"}, Wrong{"sender ~ a(b", 12, "regular expression"},
                    Wrong{"sender ~ '[a'", 12, "regular expression"}, Wrong{"sender = 'a\x01'", 11, "control"},
                    Wrong{std::string(100, '('), 65, "too many parentheses"},
                    Wrong{std::string(5000, ' '), 4096, "longer"}));

TEST(Selection, AnErrorShowsItsPlace)
{
    const std::string text = "age > 2d and recipent ~ x";
    EXPECT_EQ((SelectionError{13, "no such field"}.show(text)), "no such field\n"
                                                                "  age > 2d and recipent ~ x\n"
                                                                "               ^\n");
}

} // namespace
} // namespace facteur::queue
