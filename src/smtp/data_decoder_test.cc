#include "smtp/data_decoder.h"

#include <gtest/gtest.h>

namespace facteur::smtp {
namespace {

using Mode = DataDecoder::Mode;
using End = DataDecoder::EndOfData;

struct Case {
    Mode mode;
    End end;
    std::string_view input;
    std::string_view content;
    std::string_view left; // what belongs to the next command
    bool ended;
    bool bare_newline;
};

const Case kCases[] = {
    {Mode::data, End::standard, ".\r\nQUIT", "", "QUIT", true, false},
    {Mode::data, End::standard, "a\r\nb\r\n.\r\n", "a\r\nb\r\n", "", true, false},
    {Mode::data, End::standard, "..a\r\n...\r\n.b\r\n.\r\n", ".a\r\n..\r\nb\r\n", "", true, false},
    {Mode::data, End::standard, "a\n.\r\nMAIL\r\n.\r\n", "a\r\n\r\nMAIL\r\n", "", true, true},
    {Mode::data, End::standard, "a\r\n.\nMAIL\r\n.\r\nx", "a\r\n\r\nMAIL\r\n", "x", true, true},
    {Mode::data, End::standard, "a\n.\nb\r\n.\r\n", "a\r\n\r\nb\r\n", "", true, true},
    {Mode::data, End::standard, "a\r\n.\r\r\nb\r\n.\r\n", "a\r\n\r\nb\r\n", "", true, false},
    {Mode::data, End::standard, "a\rb\r\n.\rc\r\n.\r\n", "a\rb\r\n\rc\r\n", "", true, false},
    {Mode::data, End::standard, "a\r\r\nb\r\r\r\n.\r\n", "a\r\nb\r\n", "", true, false},
    {Mode::data, End::standard, "\r\n\r\n\n.\r\n.\r\n", "\r\n\r\n\r\n\r\n", "", true, true},
    {Mode::data, End::standard, "a\r\n.", "a\r\n", "", false, false},
    {Mode::data, End::any_line_end, "a\n.\nMAIL", "a\r\n", "MAIL", true, true},
    {Mode::data, End::any_line_end, "a\r\n.\nMAIL", "a\r\n", "MAIL", true, true},
    {Mode::chunk, End::standard, ".\r\n..a\nb", ".\r\n..a\r\nb", "", false, true},
    {Mode::chunk, End::standard, "a\r\n.\r\n", "a\r\n.\r\n", "", false, false},
};

TEST(DataDecoder, AnySplitGivesTheSame)
{
    for (const Case& c : kCases)
        for (std::size_t piece = 1; piece <= c.input.size(); ++piece) {
            DataDecoder decoder(c.mode, c.end);
            std::string content;
            std::size_t at = 0;
            while (at < c.input.size() && !decoder.ended())
                at += decoder.decode(c.input.substr(at, piece), content);
            EXPECT_EQ(content, c.content) << "input " << c.input << " in pieces of " << piece;
            EXPECT_EQ(c.input.substr(at), c.left) << c.input;
            EXPECT_EQ(decoder.ended(), c.ended) << c.input;
            EXPECT_EQ(decoder.saw_bare_newline(), c.bare_newline) << c.input;
        }
}

TEST(DataDecoder, FinishEndsTheLastLine)
{
    for (const auto& [input, content] : {std::pair{"a", "a\r\n"}, {"a\r\n", "a\r\n"}, {"a\r", "a\r\n"}, {"", ""}}) {
        DataDecoder decoder(Mode::chunk, End::standard);
        std::string out;
        decoder.decode(input, out);
        decoder.finish(out);
        EXPECT_EQ(out, content);
        EXPECT_TRUE(decoder.ended());
    }
}

} // namespace
} // namespace facteur::smtp
