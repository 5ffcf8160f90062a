#include "queue/maildrop.h"

#include <gtest/gtest.h>

namespace facteur::queue {
namespace {

using Step = MaildropParser::Step;

Envelope envelope()
{
    Envelope out;
    out.set_sender("joe@a.example");
    out.add_recipients()->set_address("x@y.example");
    return out;
}

std::string whole()
{
    return std::string(kMaildropMagic) + maildrop_record(MaildropRecord::envelope, envelope().SerializeAsString()) +
           maildrop_record(MaildropRecord::content, "Subject: s\n\nb\n") + maildrop_record(MaildropRecord::end, "");
}

TEST(Maildrop, RoundTripAtEveryChunkSize)
{
    const std::string bytes = whole();
    for (std::size_t size = 1; size <= bytes.size(); ++size) {
        MaildropParser parser;
        std::string payload;
        std::string content;
        bool saw_envelope = false;
        Step last = Step::need_bytes;
        for (std::size_t at = 0; at < bytes.size(); at += size) {
            parser.push(std::string_view(bytes).substr(at, size));
            while ((last = parser.next(payload)) != Step::need_bytes && last != Step::end && last != Step::bad) {
                saw_envelope |= last == Step::envelope;
                if (last == Step::content)
                    content += payload;
            }
        }
        EXPECT_EQ(last, Step::end) << size << ' ' << parser.problem();
        EXPECT_TRUE(saw_envelope);
        EXPECT_EQ(content, "Subject: s\n\nb\n");
    }
}

TEST(Maildrop, BadInputIsNamed)
{
    const std::string magic(kMaildropMagic);
    const struct {
        std::string bytes;
        std::string_view problem;
    } cases[] = {
        {"garbage", "not a maildrop file"},
        {magic + "content 1\nx\n", "no envelope"},
        {magic + "end 0\n\n", "no envelope"},
        {magic + "envelope 99999999\n", "record too long"},
        {magic + "envelope -1\n", "record without a size"},
        {magic + "bogus 1\nx\n", "unknown record"},
        {magic + std::string(40, 'x'), "no record"},
        {magic + "envelope 1\nxy", "record not ended"},
        {whole() + "more", "data after the end"},
        {magic + "envelope 1\nx\nenvelope 1\nx\n", "second envelope"},
    };
    for (const auto& each : cases) {
        MaildropParser parser;
        parser.push(each.bytes);
        std::string payload;
        Step step{};
        while ((step = parser.next(payload)) != Step::bad && step != Step::need_bytes && step != Step::end) {
        }
        EXPECT_EQ(step, Step::bad) << each.bytes;
        EXPECT_EQ(parser.problem(), each.problem);
    }
}

TEST(Maildrop, UsersDecideOnlyWhatIsTheirs)
{
    Envelope asked = envelope();
    asked.set_content_filter("evil:x");
    asked.set_redirect("a@b");
    asked.set_internal(true);
    asked.set_dsn_ret(7);
    asked.set_rewrite_context("odd");
    asked.mutable_origin()->set_client_name("forged");
    const auto got = accept_user_envelope(asked.SerializeAsString());
    ASSERT_TRUE(got);
    EXPECT_EQ(got->content_filter(), "");
    EXPECT_EQ(got->redirect(), "");
    EXPECT_FALSE(got->internal());
    EXPECT_FALSE(got->has_origin());
    EXPECT_EQ(got->dsn_ret(), 3U);
    EXPECT_EQ(got->rewrite_context(), "local");

    asked.mutable_recipients(0)->set_address("a@b\r\nDATA");
    EXPECT_FALSE(accept_user_envelope(asked.SerializeAsString()));
    EXPECT_FALSE(accept_user_envelope(Envelope().SerializeAsString()));
}

TEST(Maildrop, LinesGetTheirWireEnding)
{
    LineEndings endings;
    EXPECT_EQ(endings.convert("a\nb\r"), "a\r\nb\r");
    EXPECT_EQ(endings.convert("\nc"), "\nc");
    EXPECT_EQ(endings.finish(), "\r\n");
    EXPECT_EQ(LineEndings().finish(), "");
}

} // namespace
} // namespace facteur::queue
