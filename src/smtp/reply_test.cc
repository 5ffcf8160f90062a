#include "smtp/reply.h"

#include <gtest/gtest.h>

namespace facteur::smtp {
namespace {

TEST(EnhancedStatus, ParsesOnlyWholeStatuses)
{
    EXPECT_EQ(parse_enhanced_status("5.7.1"), (EnhancedStatus{5, 7, 1}));
    EXPECT_EQ(parse_enhanced_status("4.123.999")->text(), "4.123.999");
    for (const char* bad : {"", "5", "5.7", "5.7.", "3.0.0", "5.7.1 ", "5.7.1000", "a.b.c", "55.1.1"})
        EXPECT_FALSE(parse_enhanced_status(bad)) << bad;
}

TEST(ReplyLine, Parses)
{
    struct Case {
        const char* line;
        int code;
        bool last;
        const char* status;
        const char* text;
    };
    const Case cases[] = {
        {"250 2.1.0 Ok", 250, true, "2.1.0", "Ok"},
        {"250-PIPELINING", 250, false, "", "PIPELINING"},
        {"250", 250, true, "", ""},
        {"250-", 250, false, "", ""},
        {"550 4.1.1 odd", 550, true, "", "4.1.1 odd"},
        {"450 4.2.0", 450, true, "4.2.0", ""},
        {"221 2.0.0Bye", 221, true, "", "2.0.0Bye"},
    };
    for (const Case& c : cases) {
        const auto parsed = parse_reply_line(c.line);
        ASSERT_TRUE(parsed) << c.line;
        EXPECT_EQ(parsed->code, c.code) << c.line;
        EXPECT_EQ(parsed->last, c.last) << c.line;
        EXPECT_EQ(parsed->status ? parsed->status->text() : "", c.status) << c.line;
        EXPECT_EQ(parsed->text, c.text) << c.line;
    }
    for (const char* bad : {"", "25", "2x0 ok", "250_ok", "650 no", "hello", "050 x"})
        EXPECT_FALSE(parse_reply_line(bad)) << bad;
}

TEST(ReplyReader, JoinsLines)
{
    ReplyReader reader;
    EXPECT_EQ(reader.add("450-4.7.1 first"), ReplyReader::Step::more);
    EXPECT_EQ(reader.add("450 4.7.1 second\x01"), ReplyReader::Step::done);
    const Reply reply = reader.take();
    EXPECT_EQ(reply.code, 450);
    EXPECT_TRUE(reply.transient());
    EXPECT_EQ(reply.status->text(), "4.7.1");
    EXPECT_EQ(reply.one_line(), "450 4.7.1 first 4.7.1 second?");
    EXPECT_EQ(reader.add("nonsense"), ReplyReader::Step::malformed);
}

TEST(FormatReply, WritesLines)
{
    EXPECT_EQ(format_reply("250 2.0.0 Ok"), "250 2.0.0 Ok\r\n");
    EXPECT_EQ(format_reply("250 one\ntwo"), "250-one\r\n250 two\r\n");
    EXPECT_EQ(format_reply("550 5.7.1 no\nreally"), "550-5.7.1 no\r\n550 5.7.1 really\r\n");
    EXPECT_EQ(format_reply("250"), "250 \r\n");
    EXPECT_EQ(format_reply("250 a\rb"), "250 a?b\r\n");
}

} // namespace
} // namespace facteur::smtp
