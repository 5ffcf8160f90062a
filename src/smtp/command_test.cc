#include "smtp/command.h"

#include <gtest/gtest.h>

namespace facteur::smtp {
namespace {

std::string shown(std::string_view line)
{
    std::string out;
    for (const Word& word : split_command(line))
        out += "{" + word.text + (word.malformed ? "!" : "") + "}";
    return out;
}

TEST(SplitCommand, FindsTheWords)
{
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"", ""},
        {"   \t", ""},
        {"QUIT", "{QUIT}"},
        {"MAIL FROM:<a@b> SIZE=1", "{MAIL}{FROM:}{<a@b>}{SIZE=1}"},
        {"MAIL\tFROM: <a@b>", "{MAIL}{FROM:}{<a@b>}"},
        {"MAIL FROM:", "{MAIL}{FROM:}"},
        {"MAIL FROM:a@b", "{MAIL}{FROM:}{a@b}"},
        {"RCPT TO:<\"a b>\"@c> X", "{RCPT}{TO:}{<\"a b>\"@c>}{X}"},
        {"RCPT TO:<a@b", "{RCPT}{TO:}{<a@b!}"},
        {"RCPT TO:<a\\> b>", "{RCPT}{TO:}{<a\\> b>}"},
        {"MAIL FROM:Joe <a@b>", "{MAIL}{FROM:}{Joe}{<a@b>}"},
        {"Subject: x", "{Subject:}{x}"},
    };
    for (const auto& [line, words] : cases)
        EXPECT_EQ(shown(line), words) << line;
    EXPECT_EQ(shown(std::string_view("MAIL FROM:<a\0b>", 15)), "{MAIL}{FROM:}{<a!}");
}

TEST(ParseBdat, WantsACountAndPerhapsLast)
{
    const auto parse = [](std::string_view line) { return parse_bdat(split_command(line)); };
    EXPECT_EQ(parse("BDAT 10")->size, 10u);
    EXPECT_FALSE(parse("BDAT 10")->last);
    EXPECT_TRUE(parse("BDAT 0 last")->last);
    for (const char* bad : {"BDAT", "BDAT x", "BDAT -1", "BDAT 1 FIRST", "BDAT 1 LAST x", "BDAT 99999999999999999999"})
        EXPECT_FALSE(parse(bad)) << bad;
}

TEST(LooksLikeHeader, KnowsHeaders)
{
    EXPECT_TRUE(looks_like_header("Subject:"));
    EXPECT_FALSE(looks_like_header("FROBNICATE"));
    EXPECT_FALSE(looks_like_header(":"));
}

} // namespace
} // namespace facteur::smtp
