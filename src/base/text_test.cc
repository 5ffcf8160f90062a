#include "base/scanner.h"
#include "base/text.h"

#include <gtest/gtest.h>

namespace facteur::text {

using Parts = std::vector<std::string_view>;

TEST(SplitList, KeepsBracedElementsWhole)
{
    EXPECT_EQ(split_list("a, b\tc"), (Parts{"a", "b", "c"}));
    EXPECT_EQ(split_list("{ a, b }, inline:{x=y, z=w}"), (Parts{"a, b", "inline:{x=y, z=w}"}));
    EXPECT_EQ(split_list("{a b"), (Parts{"{a b"}));
    EXPECT_EQ(split_list(" , "), Parts{});
}

TEST(Printable, ReplacesWhatALogMustNotCarry)
{
    EXPECT_EQ(printable("a\r\nb\x7f"), "a??b?");
    EXPECT_EQ(printable("caf\xc3\xa9"), "caf??");
    EXPECT_EQ(printable("caf\xc3\xa9\xff", Utf8::allow), "caf\xc3\xa9?");
}

TEST(ValidUtf8, RefusesOverlongAndSurrogates)
{
    EXPECT_TRUE(valid_utf8("\xc3\xa9\xf0\x9f\x98\x80"));
    EXPECT_FALSE(valid_utf8("\xc0\xaf"));
    EXPECT_FALSE(valid_utf8("\xed\xa0\x80"));
    EXPECT_FALSE(valid_utf8("\xf5\x80\x80\x80"));
    EXPECT_FALSE(valid_utf8("\xe2\x82"));
}

TEST(ToLong, TakesOnlyWholeNumbers)
{
    EXPECT_EQ(to_long("42"), 42);
    EXPECT_EQ(to_long("-1"), -1);
    EXPECT_EQ(to_long("4x"), std::nullopt);
    EXPECT_EQ(to_long(""), std::nullopt);
    EXPECT_EQ(to_long("99999999999999999999"), std::nullopt);
}

TEST(ScannerSteps, AreSticky)
{
    Scanner in("5.1x");
    EXPECT_EQ(in.digits(1), 5U);
    in.expect('.');
    EXPECT_EQ(in.digits(3), 1U);
    in.expect('.');
    EXPECT_FALSE(in.ok());
    EXPECT_EQ(in.digits(3), std::nullopt);
    EXPECT_EQ(in.offset(), 3U);
}

} // namespace facteur::text
