#include "ipc/flags.h"
#include "tools/sendmail/message_source.h"
#include "tools/sendmail/options.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace facteur::sendmail {
namespace {

std::expected<Options, std::string> parse(std::vector<std::string> words, std::string_view program = "sendmail")
{
    words.insert(words.begin(), "sendmail");
    std::vector<char*> argv;
    for (std::string& word : words)
        argv.push_back(word.data());
    const int argc = static_cast<int>(argv.size());
    argv.push_back(nullptr);
    optind = 0;
    opterr = 0;
    return parse_options(program, argc, argv.data());
}

TEST(SendmailOptions, WhatProgramsUse)
{
    EXPECT_EQ(parse({"-bp"})->mode, Mode::mailq);
    EXPECT_EQ(parse({}, "mailq")->mode, Mode::mailq);
    EXPECT_EQ(parse({}, "newaliases")->mode, Mode::newaliases);
    EXPECT_EQ(parse({"-q"})->mode, Mode::flush);
    EXPECT_EQ(parse({"-qRfoo.example"})->site, "foo.example");
    EXPECT_EQ(parse({"-q30m", "a@b"})->mode, Mode::enqueue);
    EXPECT_FALSE(parse({"-oi", "a@b"})->dot_ends);
    EXPECT_FALSE(parse({"-i", "a@b"})->dot_ends);
    EXPECT_EQ(*parse({"-fjoe@x", "--", "-odd@b"})->sender, "joe@x");
    EXPECT_EQ(parse({"-f", "joe@x", "--", "-odd@b"})->recipients, std::vector<std::string>{"-odd@b"});
    EXPECT_EQ(parse({"-B8BITMIME", "a@b"})->encoding, "8bit");
    EXPECT_EQ(parse({"-N", "success,delay", "a@b"})->dsn_notify, ipc::notify::success | ipc::notify::delay);
    EXPECT_EQ(parse({"-R", "hdrs", "a@b"})->dsn_ret, ipc::ret::headers);
    EXPECT_EQ(*parse({"-XV", "a@b"})->verp, "");
    EXPECT_EQ(*parse({"-XV+=", "a@b"})->verp, "+=");
    EXPECT_EQ(
        parse({"-oem", "-odb", "-Am", "-Lx", "-h", "5", "-U", "-m", "-ee", "-Ofoo=bar", "a@b"})->recipients.size(), 1U);
}

TEST(SendmailOptions, MailqTakesASelection)
{
    EXPECT_FALSE(parse({}, "mailq")->where);
    EXPECT_EQ(*parse({"--where", "age > 2d"}, "mailq")->where, "age > 2d");
    EXPECT_EQ(*parse({"-v", "--where=age > 2d"}, "mailq")->where, "age > 2d");
    EXPECT_EQ(parse({"--where", "age > 2d"}, "mailq")->mode, Mode::mailq);
    EXPECT_EQ(parse({"--where"}, "mailq").error(), "--where requires a selection");
    EXPECT_FALSE(parse({"--where", "age > 2d", "a@b.example"}, "mailq"));
    EXPECT_FALSE(parse({"--whereabouts", "x"}, "mailq"));
    EXPECT_FALSE(parse({"--where", "age > 2d"}));
}

TEST(SendmailOptions, Refusals)
{
    const struct {
        std::vector<std::string> words;
        std::string_view text;
    } cases[] = {
        {{"-t", "-bv", "a@b"}, "-t option cannot be used with -bv"},
        {{"-t", "-bp"}, "-t can be used only in delivery mode"},
        {{"-bx"}, "unsupported: -bx"},
        {{"-Z"}, "usage: sendmail [options]"},
        {{"-BFOO", "a@b"}, "-B option needs 8BITMIME or 7BIT"},
        {{"-oA"}, "-oA requires pathname"},
        {{"-n"}, "-n option not supported"},
        {{"-qR"}, "specify: -qRsitename"},
        {{"-qX"}, "-qX is not implemented"},
        {{"-bp", "a@b"}, "display queue mode requires no recipient"},
        {{"-bi", "a@b"}, "alias initialization mode requires no recipient"},
    };
    for (const auto& each : cases) {
        const auto options = parse(each.words);
        ASSERT_FALSE(options) << each.text;
        EXPECT_EQ(options.error(), each.text);
    }
    EXPECT_EQ(parse({"-Nfoo", "a@b"})->warnings.size(), 2U);
}

std::string filter(std::string_view input, bool dot_ends, Carriage carriage, std::size_t piece)
{
    LineFilter lines(dot_ends, carriage);
    std::string out;
    bool more = true;
    for (std::size_t at = 0; more && at < input.size(); at += piece)
        more = lines.take(input.substr(at, piece), out);
    lines.finish(out);
    return out;
}

TEST(LineFilter, SameAtEveryPieceSize)
{
    const struct {
        std::string_view input;
        bool dot_ends;
        Carriage carriage;
        std::string_view output;
    } cases[] = {
        {"a\n.\nb\n", true, Carriage::strip, "a\n"},
        {"a\n.\nb\n", false, Carriage::strip, "a\n.\nb\n"},
        {"a\r\n.\r\nb\r\n", true, Carriage::strip, "a\n"},
        {"a\r\nb", true, Carriage::strip, "a\nb\n"},
        {"a\nb\r\n", true, Carriage::as_first_line, "a\nb\r\n"},
        {"a\r\nb\r\n", true, Carriage::as_first_line, "a\nb\n"},
        {"a\r\n", true, Carriage::keep, "a\r\n"},
        {"From joe Mon\n>From jim\nSubject: s\n\nFrom here\n", true, Carriage::strip, "Subject: s\n\nFrom here\n"},
        {"", true, Carriage::strip, ""},
    };
    for (const auto& each : cases)
        for (std::size_t piece = 1; piece < 20; ++piece)
            EXPECT_EQ(filter(each.input, each.dot_ends, each.carriage, piece), each.output) << each.input << piece;
}

TEST(HeaderRecipients, ResentOnesWin)
{
    EXPECT_EQ(header_recipients("To: a@b, c@d\nCc: J <e@f>\nbcc:\n g@h\nSubject: x@y\n"),
              (std::vector<std::string>{"a@b", "c@d", "e@f", "g@h"}));
    EXPECT_EQ(header_recipients("Resent-To: r@y\nTo: x@y\n"), std::vector<std::string>{"r@y"});
    EXPECT_TRUE(header_recipients("Subject: s\n").empty());
}

TEST(HeaderEnd, BlankLineOrBody)
{
    EXPECT_EQ(header_end("To: a\n b\n\nbody\n"), 9U);
    EXPECT_EQ(header_end("To: a\nbody text\n"), 6U);
    EXPECT_EQ(header_end("\nbody"), 0U);
    EXPECT_FALSE(header_end("To: a\n"));
}

} // namespace
} // namespace facteur::sendmail
