// Bytes that Postfix 3.7 stores, recorded from real messages, and the facts about them.
#include "mail/content_pass.h"
#include "mail/mime.h"
#include "mail/rewrite.h"

#include <gtest/gtest.h>

namespace facteur::mail {
namespace {

using namespace std::string_view_literals;

struct Result {
    std::string stored;
    ContentFacts facts;
};

Result run(std::string_view input, const ContentOptions& options, const ContentHooks& hooks = {},
           std::size_t chunk = std::string_view::npos)
{
    ContentPass pass{options, hooks};
    Result out;
    while (!input.empty()) {
        pass.push(input.substr(0, chunk));
        out.stored += pass.output();
        pass.output().clear();
        input.remove_prefix(std::min(chunk, input.size()));
    }
    pass.finish();
    out.stored += pass.output();
    out.facts = pass.facts();
    return out;
}

ContentOptions smtp_options()
{
    ContentOptions options;
    options.add_missing = AddMissing::yes;
    options.message_id = "<STAMP.ID@mx.test.example>";
    options.date = "DATE";
    options.sender = "joe@a.example";
    return options;
}

ContentHooks local_rewriting()
{
    static const RewriteSettings settings{.myorigin = "mx.test.example", .mydomain = "test.example"};
    return {.complete_address = [](std::string_view address) {
        return rewrite_external(address, RewriteContext::local, settings);
    }};
}

#define MISSING "Message-Id: <STAMP.ID@mx.test.example>\r\nDate: DATE\r\nFrom: joe@a.example\r\n"
#define RESENT_MISSING                                                                                                 \
    "Resent-Message-Id: <STAMP.ID@mx.test.example>\r\nResent-Date: DATE\r\nResent-From: joe@a.example\r\n"
#define HAVE "From: a@b.c\r\nDate: x\r\nMessage-Id: y\r\n"

constexpr std::pair<std::string_view, std::string_view> kSmtpCases[] = {
    {"", MISSING},
    {"\r\n", MISSING "\r\n"},
    {"\r\nbody", MISSING "\r\nbody\r\n"},
    {"x", MISSING "\r\nx\r\n"},
    {"A: b", "A: b\r\n" MISSING},
    {"not header\r\nb", MISSING "\r\nnot header\r\nb\r\n"},
    {"A: b\r\n\r\n\r\nx", "A: b\r\n" MISSING "\r\n\r\nx\r\n"},
    {HAVE "A: b\r\rc\r\n\r\nx\ry\r\r\nz\0w\r\n"sv, HAVE "A: b  c\r\n\r\nx y\r\nz\0w\r\n"sv},
    {HAVE " folded\r\n\r\n", HAVE " folded\r\n\r\n"},
    {" leading space\r\nA: b\r\n\r\nx", MISSING "\r\n leading space\r\nA: b\r\n\r\nx\r\n"},
    {"From joe\r\n cont\r\nA: b\r\n\r\n", "X-Mailbox-Line: From joe\r\n" MISSING "\r\n cont\r\nA: b\r\n\r\n"},
    {">From joe\r\nA: b\r\n\r\n", "X-Mailbox-Line: >From joe\r\nA: b\r\n" MISSING "\r\n"},
    {"A: b\r\nFrom joe\r\nB: c\r\n\r\nx", "A: b\r\n" MISSING "\r\nFrom joe\r\nB: c\r\n\r\nx\r\n"},
    {HAVE "Subject : x\r\n\r\n", HAVE "Subject: x\r\n\r\n"},
    {HAVE "Sub\tject: x\r\n\r\n", HAVE "\r\nSub\tject: x\r\n\r\n"},
    {HAVE ": x\r\n\r\n", HAVE "\r\n: x\r\n\r\n"},
    {HAVE "A:\r\n\r\n", HAVE "A:\r\n\r\n"},
    {HAVE "A: b\r\n \r\nB: c\r\n\r\nx", HAVE "A: b\r\n \r\nB: c\r\n\r\nx\r\n"},
    {HAVE "\xc3\xa9: x\r\n\r\n", HAVE "\r\n\xc3\xa9: x\r\n\r\n"},
    {HAVE "A\0b: c\r\n\r\n"sv, HAVE "\r\nA\0b: c\r\n\r\n"sv},
    {HAVE "X: a\0b\r\n\r\n"sv, HAVE "X: a\r\n\r\n"},
    {HAVE "To: bob\0ann, c\r\n\r\n"sv, HAVE "To: bob@mx.test.example\r\n\r\n"},
    {"To: x\r\n", "To: x@mx.test.example\r\n" MISSING},
    {"TO:bob,  ann (c)\r\n\r\n", "TO: bob@mx.test.example, ann@mx.test.example (c)\r\n" MISSING "\r\n"},
    {"To: bob@q.r,  ann@b.c (c)\r\n\r\n", "To: bob@q.r,  ann@b.c (c)\r\n" MISSING "\r\n"},
    {"From: joe\r\nTo: bob, ann@host\r\nSubject: s\r\n\r\nx\r\n",
     "From: joe@mx.test.example\r\nTo: bob@mx.test.example, ann@host\r\nSubject: s\r\n"
     "Message-Id: <STAMP.ID@mx.test.example>\r\nDate: DATE\r\n\r\nx\r\n"},
    {"Bcc: a@b\r\nReturn-Path: <x@y>\r\nContent-Length: 3\r\nResent-Bcc: z@z\r\n\r\nb", RESENT_MISSING "\r\nb\r\n"},
    {"Resent-To: r\r\nFrom: x@y\r\n\r\n", "Resent-To: r@mx.test.example\r\nFrom: x@y\r\n" RESENT_MISSING "\r\n"},
    {"Message-Id:\r\nDate:\r\nFrom:\r\nTo:\r\n\r\n", "Message-Id:\r\nDate:\r\nFrom:\r\nTo:\r\n\r\n"},
    {"Subject: a\r\n b\r\n\tc\r\nX-Y:\r\n  z\r\n\r\nb\r\n",
     "Subject: a\r\n b\r\n\tc\r\nX-Y:\r\n  z\r\n" MISSING "\r\nb\r\n"},
    {"Mime-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n--b\r\nX: y\r\n\r\nz\r\n--b--\r\n",
     "Mime-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n" MISSING
     "\r\n--b\r\nX: y\r\n\r\nz\r\n--b--\r\n"},
    {"Mime-Version: 1.0\r\nContent-Type: message/rfc822\r\n\r\nSubject: z\r\nBcc: q@r\r\nTo: bob\r\nnothead\r\nx\r\n",
     "Mime-Version: 1.0\r\nContent-Type: message/rfc822\r\n" MISSING
     "\r\nSubject: z\r\nBcc: q@r\r\nTo: bob\r\nnothead\r\nx\r\n"},
    {"A: b\n\nbare\nlines\r\n\n", "A: b\r\n" MISSING "\r\nbare\r\nlines\r\n\r\n"},
};

TEST(ContentPass, StoresWhatPostfixStores)
{
    for (const auto& [input, stored] : kSmtpCases)
        EXPECT_EQ(run(input, smtp_options(), local_rewriting()).stored, stored) << "input: " << input;
}

TEST(ContentPass, ChunksAndPathsMakeNoDifference)
{
    ContentOptions strict = smtp_options();
    strict.strict_mime = true;
    ContentHooks checks = local_rewriting();
    checks.header_check = [](HeaderClass, std::string_view) { return CheckVerdict{}; };
    checks.body_check = [](std::string_view) { return CheckVerdict{}; };
    for (const auto& [input, stored] : kSmtpCases) {
        for (const std::size_t chunk : {1, 2, 3, 7}) {
            EXPECT_EQ(run(input, smtp_options(), local_rewriting(), chunk).stored, stored) << chunk << ": " << input;
            EXPECT_EQ(run(input, strict, local_rewriting(), chunk).stored, stored) << chunk << " strict: " << input;
            EXPECT_EQ(run(input, strict, checks, chunk).stored, stored) << chunk << " checked: " << input;
        }
    }
}

TEST(ContentPass, FromHeaderOfLocalSubmission)
{
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"", "j@a.example"},
        {"root", "root <j@a.example>"},
        {"Joe Public", "Joe Public <j@a.example>"},
        {"Joe Q. Public", "\"Joe Q. Public\" <j@a.example>"},
        {"Joe \"X\" Y", "\"Joe \\\"X\\\" Y\" <j@a.example>"},
        {"Jo\xc3\xa9", "Jo\xc3\xa9 <j@a.example>"},
        {"a@b", "\"a@b\" <j@a.example>"},
        {"a\\b", "\"a\\\\b\" <j@a.example>"},
        {" lead", "lead <j@a.example>"},
        {"a  b", "a b <j@a.example>"},
    };
    ContentOptions options = smtp_options();
    options.sender = "j@a.example";
    for (const auto& [name, from] : cases) {
        options.full_name = name;
        const Result got = run("Message-Id: y\r\nDate: x\r\n\r\n", options);
        EXPECT_EQ(got.stored, "Message-Id: y\r\nDate: x\r\nFrom: " + std::string{from} + "\r\n\r\n");
    }
    options.full_name = "Joe (X)";
    options.from_format = HeaderFromFormat::obsolete;
    EXPECT_EQ(run("", options).stored,
              "Message-Id: <STAMP.ID@mx.test.example>\r\nDate: DATE\r\nFrom: j@a.example (Joe \\(X\\))\r\n");
    options.sender = "";
    EXPECT_EQ(run("", options).stored,
              "Message-Id: <STAMP.ID@mx.test.example>\r\nDate: DATE\r\nFrom: MAILER-DAEMON\r\n");
    options.sender = "joe smith@a.example";
    options.full_name = "";
    EXPECT_EQ(run("Date: x\r\n", options).stored,
              "Date: x\r\nMessage-Id: <STAMP.ID@mx.test.example>\r\nFrom: \"joe smith\"@a.example\r\n");
}

TEST(ContentPass, UndisclosedRecipients)
{
    ContentOptions options = smtp_options();
    options.undisclosed_recipients_header = "To: undisclosed-recipients:;";
    EXPECT_EQ(run("Bcc: x\r\n\r\n", options).stored, MISSING "To: undisclosed-recipients:;\r\n\r\n");
    EXPECT_EQ(run("Apparently-To: x\r\n\r\n", options).stored,
              "Apparently-To: x\r\n" MISSING "To: undisclosed-recipients:;\r\n\r\n");
    EXPECT_EQ(run("Cc: x\r\n\r\n", options).stored, "Cc: x\r\n" MISSING "\r\n");
}

TEST(ContentPass, NothingIsAddedUnlessAsked)
{
    ContentOptions options = smtp_options();
    options.add_missing = AddMissing::no;
    const Result got = run("Subject: x\r\n\r\nb", options);
    EXPECT_EQ(got.stored, "Subject: x\r\n\r\nb\r\n");
    EXPECT_EQ(got.facts.message_id, "<>");
}

TEST(ContentPass, HeaderSizeLimit)
{
    ContentOptions options;
    options.header_size_limit = 60;
    const std::string a50(50, 'a');
    EXPECT_EQ(run("X: " + std::string(3000, 'a') + "\r\n b\r\nY: 1\r\n\r\n", options, {}, 1000).stored,
              "X: " + std::string(57, 'a') + "\r\nY: 1\r\n\r\n");
    EXPECT_EQ(run("X: " + a50 + "\r\n " + a50 + "\r\n c\r\nY: 1\r\n\r\n", options).stored,
              "X: " + a50 + "\r\n aaaaa\r\nY: 1\r\n\r\n");
    EXPECT_EQ(run("To: a0,a1,a2,a3\r\n\r\n", options, local_rewriting()).stored,
              "To: a0@mx.test.example, a1@mx.test.example, a2@mx.test.examp\r\n\r\n");
    const std::string text(9000, 'z'); // no header: the body begins with it, whole
    EXPECT_EQ(run(text, options, {}, 500).stored, "\r\n" + text + "\r\n");
}

TEST(ContentPass, Prepended)
{
    ContentOptions options;
    options.prepend = "Received: from x\r\n\tby y; z\r\nX-Pre: 1\n";
    const Result got = run("Received: old\r\nA: b\r\n\r\n", options);
    EXPECT_EQ(got.stored, "Received: from x\r\n\tby y; z\r\nX-Pre: 1\r\nReceived: old\r\nA: b\r\n\r\n");
    EXPECT_EQ(got.facts.received_count, 1U);
}

TEST(ContentPass, Facts)
{
    ContentOptions options;
    options.extract_recipients = true;
    const Result got =
        run("Received: a\r\nreceived: b\r\nMessage-ID:\r\n <a@b> (c)\r\nMIME-Version: 1.0\r\nFrom: x@y\r\n"
            "To: a@b.c, \"d e\"@f.g\r\nBcc: h\r\nResent-Cc: r@s\r\n\r\n.x\r\nlong line\r\n\xc3\xa9\r\n",
            options);
    EXPECT_EQ(got.facts.received_count, 2U);
    EXPECT_EQ(got.facts.message_id, "<a@b> (c)");
    EXPECT_TRUE(got.facts.has_from && got.facts.has_mime_version && got.facts.resent && got.facts.leading_dot);
    EXPECT_TRUE(got.facts.body_8bit);
    EXPECT_FALSE(got.facts.header_8bit);
    EXPECT_EQ(got.facts.recipients, (std::vector<std::string>{"a@b.c", "d e@f.g", "h"}));
    EXPECT_EQ(got.facts.resent_recipients, std::vector<std::string>{"r@s"});
    EXPECT_EQ(got.facts.stored_bytes, got.stored.size());
    EXPECT_EQ(got.facts.header_bytes, got.stored.find("\r\n\r\n") + 2);
    EXPECT_EQ(got.facts.longest_line, std::string_view{"To: a@b.c, \"d e\"@f.g"}.size());
    EXPECT_TRUE(run("Subject: \xc3\xa9\r\n", options).facts.header_8bit);
    EXPECT_FALSE(run("Subject: \xc3\xa9\r\n", options).facts.body_8bit);
    options.extract_limit = 2;
    const Result limited = run("To: a, b, c\r\n", options);
    EXPECT_TRUE(limited.facts.extract_overflow);
    EXPECT_EQ(limited.facts.recipients.size(), 2U);
}

TEST(ContentPass, SendmailInputKeepsCarriageReturns)
{
    ContentOptions options;
    options.input = InputLines::lf;
    EXPECT_EQ(run("A: b\n\nx\r\ny\n", options).stored, "A: b\r\n\r\nx \r\ny\r\n");
    options.replace_stray_cr_lf = false;
    const Result got = run("A: b\n\nx\r\ny\n", options);
    EXPECT_EQ(got.stored, "A: b\r\n\r\nx\r\r\ny\r\n");
    EXPECT_TRUE(got.facts.stray_cr);
}

TEST(ContentPass, StripAndReject)
{
    ContentOptions options;
    options.strip_characters = "\0"sv;
    options.reject_characters = "\x01";
    const Result got = run("A: b\r\n\r\nx\0y\x01\r\n"sv, options);
    EXPECT_EQ(got.stored, "A: b\r\n\r\nxy\x01\r\n");
    EXPECT_TRUE(got.facts.rejected_character);
}

TEST(ContentPass, HeaderAndBodyChecks)
{
    std::vector<std::pair<HeaderClass, std::string>> seen;
    ContentHooks hooks;
    hooks.header_check = [&](HeaderClass kind, std::string_view header) -> CheckVerdict {
        seen.emplace_back(kind, header);
        if (header.starts_with("X-Del"))
            return {CheckVerdict::Action::drop, {}};
        if (header.starts_with("X-Rep"))
            return {CheckVerdict::Action::replace, "X-New: v"};
        if (header.starts_with("X-Pre"))
            return {CheckVerdict::Action::prepend, "X-Added: 1"};
        return {};
    };
    hooks.body_check = [](std::string_view line) -> CheckVerdict {
        if (line == "gone")
            return {CheckVerdict::Action::drop, {}};
        if (line == "old")
            return {CheckVerdict::Action::replace, "new"};
        return {};
    };
    const Result got = run(
        "X-Del: 1\r\nX-Rep: 1\r\nX-Pre: 1\r\n 2\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        "--b\r\nX-Del: 1\r\n 2\r\nContent-Type: message/rfc822\r\n\r\nX-Pre: 2\r\n\r\ngone\r\nold\r\nkept\r\n--b--\r\n",
        {}, hooks);
    EXPECT_EQ(got.stored,
              "X-New: v\r\nX-Added: 1\r\nX-Pre: 1\r\n 2\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
              "--b\r\nContent-Type: message/rfc822\r\n\r\nX-Added: 1\r\nX-Pre: 2\r\n\r\nnew\r\nkept\r\n--b--\r\n");
    using enum HeaderClass;
    EXPECT_EQ(seen, (std::vector<std::pair<HeaderClass, std::string>>{
                        {primary, "X-Del: 1"},
                        {primary, "X-Rep: 1"},
                        {primary, "X-Pre: 1\n 2"},
                        {HeaderClass::mime, "Content-Type: multipart/mixed; boundary=b"},
                        {HeaderClass::mime, "X-Del: 1\n 2"},
                        {HeaderClass::mime, "Content-Type: message/rfc822"},
                        {nested, "X-Pre: 2"}}));
}

TEST(ContentPass, StrictMime)
{
    ContentOptions options;
    EXPECT_EQ(run("A: b\r\n\r\n\xc3\xa9", options).facts.mime_errors, 0U);
    options.strict_mime = true;
    EXPECT_EQ(run("A: b\r\n\r\n\xc3\xa9", options).facts.mime_errors, static_cast<std::uint32_t>(MimeError::body_8bit));
}

TEST(ContentPass, VeryLongLines)
{
    const std::string line(200000, 'x');
    ContentOptions strict;
    strict.strict_mime = true;
    for (const ContentOptions& options : {ContentOptions{}, strict})
        EXPECT_EQ(run("A: b\r\n\r\n" + line + "\r\ny", options, {}, 1000).stored, "A: b\r\n\r\n" + line + "\r\ny\r\n");
}

} // namespace
} // namespace facteur::mail
