#include "mail/date.h"
#include "mail/dsn.h"

#include <gtest/gtest.h>

namespace facteur::mail {
namespace {

using namespace std::string_view_literals;

TEST(EnhancedStatus, Parses)
{
    for (const char* text : {"2.0.0", "4.7.12", "5.999.999", "5.1.1"}) {
        const auto status = parse_enhanced_status(text);
        ASSERT_TRUE(status) << text;
        EXPECT_EQ(status->text(), text);
    }
    for (const char* text :
         {"", "5", "5.1", "5.1.", "5.1.1.1", "3.1.1", "5.1.1 ", "5.1000.1", "a.b.c", "-5.1.1", "5.1.x"})
        EXPECT_FALSE(parse_enhanced_status(text)) << text;
    const auto split = split_enhanced_status("5.1.1 no such user");
    ASSERT_TRUE(split);
    EXPECT_EQ(split->status, (EnhancedStatus{5, 1, 1}));
    EXPECT_EQ(split->text, "no such user");
    EXPECT_FALSE(split_enhanced_status("no such user"));
    EXPECT_FALSE(split_enhanced_status("5.1.1x no"));
}

TEST(Xtext, BothWays)
{
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"", ""},        {"a@b.c", "a@b.c"}, {"b c@y", "b+20c@y"}, {"a+b=c", "a+2Bb+3Dc"}, {"\xc3\xa9", "+C3+A9"},
        {"\0"sv, "+00"},
    };
    for (const auto& [text, xtext] : cases) {
        EXPECT_EQ(xtext_encode(text), xtext);
        EXPECT_EQ(xtext_decode(xtext), text);
    }
    EXPECT_EQ(xtext_decode("+c3"), "\xc3");
    for (const char* bad : {"+", "+4", "a+4", "+GG", "++41"})
        EXPECT_FALSE(xtext_decode(bad)) << bad;
}

TEST(Unitext, BothWays)
{
    const std::string_view text = "\xc3\xa9 a+b\\=\xf0\x9f\x98\x80@x";
    EXPECT_EQ(unitext_encode(text, Unitext::ascii), "\\x{E9}\\x{20}a\\x{2B}b\\x{5C}\\x{3D}\\x{1F600}@x");
    EXPECT_EQ(unitext_encode(text, Unitext::utf8), "\xc3\xa9\\x{20}a\\x{2B}b\\x{5C}\\x{3D}\xf0\x9f\x98\x80@x");
    EXPECT_EQ(unitext_decode(unitext_encode(text, Unitext::ascii)), text);
    EXPECT_EQ(unitext_decode(unitext_encode(text, Unitext::utf8)), text);
    for (const char* bad :
         {"\\", "\\x", "\\x{", "\\x{}", "\\x{41", "\\x{D800}", "\\x{110000}", "\\x{0000041}", "\\x{G}", "\xff"})
        EXPECT_FALSE(unitext_decode(bad)) << bad;
}

TEST(Orcpt, BothWays)
{
    const auto plain = parse_orcpt("rfc822;b+20c@y.example");
    ASSERT_TRUE(plain);
    EXPECT_EQ(plain->text(), "rfc822;b c@y.example");
    EXPECT_EQ(format_orcpt(*plain), "rfc822;b+20c@y.example");
    const auto utf8 = parse_orcpt("utf-8;\\x{E9}@y");
    ASSERT_TRUE(utf8);
    EXPECT_EQ(utf8->address, "\xc3\xa9@y");
    EXPECT_EQ(format_orcpt(*utf8), "utf-8;\xc3\xa9@y");
    EXPECT_EQ(format_orcpt(*utf8, Unitext::ascii), "utf-8;\\x{E9}@y");
    for (const char* bad : {"", ";", "rfc822", "rfc822;", ";a@b", "r c;a@b", "rfc822;+"})
        EXPECT_FALSE(parse_orcpt(bad)) << bad;
    EXPECT_EQ(split_original_recipient("a@b").text(), "rfc822;a@b");
    EXPECT_EQ(split_original_recipient("x400;a;b").address, "a;b");
}

TEST(NotifyAndReturn, BothWays)
{
    for (const char* text : {"NEVER", "SUCCESS", "FAILURE", "DELAY", "SUCCESS,FAILURE,DELAY", "FAILURE,DELAY"}) {
        const auto notify = parse_notify(text);
        ASSERT_TRUE(notify) << text;
        EXPECT_EQ(format_notify(*notify), text);
        EXPECT_EQ(Notify::from_bits(notify->bits()), *notify);
    }
    EXPECT_EQ(format_notify(*parse_notify("delay,success")), "SUCCESS,DELAY");
    EXPECT_EQ(format_notify({}), "");
    for (const char* bad : {"", ",", "NEVER,SUCCESS", "SUCCESS,", "FOO", "SUCCESS FAILURE"})
        EXPECT_FALSE(parse_notify(bad)) << bad;
    EXPECT_EQ(parse_return("full"), Return::full);
    EXPECT_EQ(format_return(*parse_return("HDRS")), "HDRS");
    EXPECT_FALSE(parse_return(""));
}

TEST(Date, AsHeadersCarryIt)
{
    std::tm time{};
    time.tm_year = 126;
    time.tm_mon = 10;
    time.tm_mday = 2;
    time.tm_wday = 1;
    time.tm_hour = 5;
    time.tm_min = 31;
    time.tm_gmtoff = 0;
    time.tm_zone = "UTC";
    EXPECT_EQ(format_mail_date(time), "Mon,  2 Nov 2026 05:31:00 +0000 (UTC)");
    time.tm_mday = 22;
    time.tm_wday = 0;
    time.tm_gmtoff = -(3 * 3600 + 30 * 60);
    time.tm_zone = "NST";
    EXPECT_EQ(format_mail_date(time), "Sun, 22 Nov 2026 05:31:00 -0330 (NST)");
    EXPECT_EQ(make_message_id(1795325460, "4ABC", "mx.example"), "<20261122053100.4ABC@mx.example>");
}

} // namespace
} // namespace facteur::mail
