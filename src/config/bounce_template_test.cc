#include "config/bounce_template.h"

#include <gtest/gtest.h>

namespace facteur::config {
namespace {

TEST(BounceTemplates, BuiltIn)
{
    const BounceTemplates templates;
    EXPECT_EQ(templates[NoticeKind::failure].subject, "Undelivered Mail Returned to Sender");
    EXPECT_EQ(templates[NoticeKind::failure].from, "Mail Delivery System <MAILER-DAEMON>");
    EXPECT_EQ(templates[NoticeKind::success].postmaster_subject, "");
    EXPECT_TRUE(templates[NoticeKind::verify].text.ends_with("The mail system\n"));
    const auto config = Config::from_text("myhostname = mx.example.org\ndelay_warning_time = 4h\n");
    const auto text = templates.expanded_text(NoticeKind::delay, *config);
    ASSERT_TRUE(text);
    EXPECT_NE(text->find("This is the mail system at host mx.example.org."), std::string::npos);
    EXPECT_NE(text->find("more than 4 hour(s)"), std::string::npos);
    EXPECT_NE(text->find("until it is 5 day(s) old"), std::string::npos);
}

TEST(BounceTemplates, FromAFile)
{
    const auto parsed = BounceTemplates::parse(
        "# ours\n\nfailure_template = <<END\nCharset: utf-8\nSubject: Nein\n\nKein $mydomain\nEND\n", "bounce.cf");
    ASSERT_TRUE(parsed) << parsed.error().message();
    EXPECT_EQ((*parsed)[NoticeKind::failure].subject, "Nein");
    EXPECT_EQ((*parsed)[NoticeKind::failure].text, "Kein $mydomain\n");
    EXPECT_EQ((*parsed)[NoticeKind::failure].postmaster_subject, "Postmaster Copy: Undelivered Mail");
    EXPECT_EQ((*parsed)[NoticeKind::delay].subject, "Delayed Mail (still being retried)");
}

TEST(BounceTemplates, Errors)
{
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"nonsense\n", "bounce.cf, line 1: expected \"name = <<WORD\""},
        {"\nother_template = <<EOF\nEOF\n", "bounce.cf, line 2: unknown template name: \"other_template\""},
        {"delay_template = <<EOF\nSubject: x\n\ntext\n", "bounce.cf, line 1: missing \"EOF\" marker"},
        {"delay_template = <<EOF\nX-Other: x\n\ntext\nEOF\n",
         "bounce.cf, line 1: unknown template header: \"X-Other\""},
        {"delay_template = <<EOF\nSubject: x\n\n\xc3\xa4\nEOF\n",
         "bounce.cf, line 1: 8-bit template text needs a Charset other than us-ascii"},
    };
    for (const auto& [text, message] : cases) {
        const auto parsed = BounceTemplates::parse(text, "bounce.cf");
        ASSERT_FALSE(parsed) << text;
        EXPECT_EQ(parsed.error().message(), message);
    }
}

} // namespace
} // namespace facteur::config
