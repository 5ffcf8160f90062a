#include "daemons/bounce/notice.h"
#include "ipc/flags.h"
#include "mail/verp.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace facteur::bounce {
namespace {

constexpr std::time_t kNow = 1795327644; // Sun, 22 Nov 2026 06:07:24 UTC

constexpr std::string_view kOriginal = "Received: from me.example (localhost [127.0.0.1])\r\n"
                                       "\tby mx.test.example (Postfix) with ESMTP id 36341A725B5\r\n"
                                       "\tfor <bad5@y.example>; Sun, 22 Nov 2026 06:07:24 +0000 (UTC)\r\n"
                                       "Subject: t\r\n\r\nhi\r\n";

std::string lf(std::string text)
{
    std::erase(text, '\r');
    return text;
}

class NoticeTest : public testing::Test {
protected:
    void SetUp() override
    {
        ::setenv("TZ", "UTC", 1);
        reporter_ = {.hostname = "mx.test.example", .mail_name = "Postfix", .origin = "mx.test.example"};
        envelope_.set_sender("joe@a.example");
        envelope_.set_arrival_seconds(kNow);
        bad_.mutable_recipient()->set_address("bad5@y.example");
        bad_.mutable_recipient()->set_dsn_orcpt("rfc822;bad5@y.example");
        bad_.set_relay("127.0.0.1[127.0.0.1]:26101");
        ipc::Dsn& dsn = *bad_.mutable_dsn();
        dsn.set_status("5.1.1");
        dsn.set_action("failed");
        dsn.set_reason("host 127.0.0.1[127.0.0.1] said: 550 5.1.1 no such user (in reply to RCPT TO command)");
        dsn.set_diagnostic_type("smtp");
        dsn.set_diagnostic_text("550 5.1.1 no such user");
        dsn.set_remote_mta_type("dns");
        dsn.set_remote_mta("127.0.0.1");
    }

    std::string render(NoticeKind kind, Attach attach, Audience audience = Audience::sender)
    {
        auto config = config::Config::from_text("myhostname = mx.test.example\n");
        std::vector<std::string> warnings;
        const std::string words = templates_.expand(kind, *config, warnings);
        const Notice notice{.kind = kind,
                            .audience = audience,
                            .to = audience == Audience::sender ? "joe@a.example" : "pm@sink.example",
                            .queue_id = "36341A725B5",
                            .envelope = envelope_,
                            .recipients = {&bad_},
                            .original = kOriginal,
                            .attach = attach,
                            .words = templates_.get(kind),
                            .text = words,
                            .now = kNow};
        return lf(render_notice(notice, reporter_));
    }

    Templates templates_;
    Reporter reporter_;
    queue::Envelope envelope_;
    ipc::LogRecipient bad_;
};

// As Postfix 3.7 wrote it, but for Message-Id:, which cleanup adds.
TEST_F(NoticeTest, FailureToTheSender)
{
    EXPECT_EQ(render(NoticeKind::failure, Attach::full), R"(Date: Sun, 22 Nov 2026 06:07:24 +0000 (UTC)
From: Mail Delivery System <MAILER-DAEMON@mx.test.example>
Subject: Undelivered Mail Returned to Sender
To: joe@a.example
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
	boundary="36341A725B5.1795327644/mx.test.example"
Content-Transfer-Encoding: 8bit

This is a MIME-encapsulated message.

--36341A725B5.1795327644/mx.test.example
Content-Description: Notification
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

This is the mail system at host mx.test.example.

I'm sorry to have to inform you that your message could not
be delivered to one or more recipients. It's attached below.

For further assistance, please send mail to postmaster.

If you do so, please include this problem report. You can
delete your own text from the attached returned message.

                   The mail system

<bad5@y.example>: host 127.0.0.1[127.0.0.1] said: 550 5.1.1 no such user (in
    reply to RCPT TO command)

--36341A725B5.1795327644/mx.test.example
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.test.example
X-Postfix-Queue-ID: 36341A725B5
X-Postfix-Sender: rfc822; joe@a.example
Arrival-Date: Sun, 22 Nov 2026 06:07:24 +0000 (UTC)

Final-Recipient: rfc822; bad5@y.example
Original-Recipient: rfc822;bad5@y.example
Action: failed
Status: 5.1.1
Remote-MTA: dns; 127.0.0.1
Diagnostic-Code: smtp; 550 5.1.1 no such user

--36341A725B5.1795327644/mx.test.example
Content-Description: Undelivered Message
Content-Type: message/rfc822
Content-Transfer-Encoding: 8bit

Return-Path: <joe@a.example>
Received: from me.example (localhost [127.0.0.1])
	by mx.test.example (Postfix) with ESMTP id 36341A725B5
	for <bad5@y.example>; Sun, 22 Nov 2026 06:07:24 +0000 (UTC)
Subject: t

hi

--36341A725B5.1795327644/mx.test.example--
)");
}

TEST_F(NoticeTest, PostmasterCopyOfADoubleBounce)
{
    envelope_.clear_sender();
    envelope_.set_dsn_envid("xx yy");
    bad_.mutable_dsn()->clear_diagnostic_type();
    bad_.mutable_dsn()->set_reason("mail system configuration error, and a text that needs another line");
    bad_.mutable_recipient()->set_original("list@x.example");
    EXPECT_EQ(render(NoticeKind::failure, Attach::headers, Audience::postmaster),
              R"(Date: Sun, 22 Nov 2026 06:07:24 +0000 (UTC)
From: Mail Delivery System <MAILER-DAEMON@mx.test.example>
Subject: Postmaster Copy: Undelivered Mail
To: pm@sink.example
Auto-Submitted: auto-generated
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
	boundary="36341A725B5.1795327644/mx.test.example"
Content-Transfer-Encoding: 8bit

This is a MIME-encapsulated message.

--36341A725B5.1795327644/mx.test.example
Content-Description: Notification
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit


<bad5@y.example> (expanded from <list@x.example>): mail system configuration
    error, and a text that needs another line

--36341A725B5.1795327644/mx.test.example
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.test.example
Original-Envelope-Id: xx yy
X-Postfix-Queue-ID: 36341A725B5
X-Postfix-Sender: rfc822; MAILER-DAEMON@mx.test.example
Arrival-Date: Sun, 22 Nov 2026 06:07:24 +0000 (UTC)

Final-Recipient: rfc822; bad5@y.example
Original-Recipient: rfc822;bad5@y.example
Action: failed
Status: 5.1.1
Remote-MTA: dns; 127.0.0.1
Diagnostic-Code: X-Postfix; mail system configuration error, and a text that
    needs another line

--36341A725B5.1795327644/mx.test.example
Content-Description: Undelivered Message Headers
Content-Type: text/rfc822-headers
Content-Transfer-Encoding: 8bit

Return-Path: <MAILER-DAEMON@mx.test.example>
Received: from me.example (localhost [127.0.0.1])
	by mx.test.example (Postfix) with ESMTP id 36341A725B5
	for <bad5@y.example>; Sun, 22 Nov 2026 06:07:24 +0000 (UTC)
Subject: t

--36341A725B5.1795327644/mx.test.example--
)");
}

TEST_F(NoticeTest, DelaySaysUntilWhen)
{
    bad_.mutable_dsn()->set_action("delayed");
    bad_.mutable_dsn()->set_status("4.2.0");
    const std::string text = render(NoticeKind::delay, Attach::headers);
    EXPECT_NE(text.find("Subject: Delayed Mail (still being retried)\n"), text.npos);
    EXPECT_NE(text.find("It will be retried until it is 5 day(s) old.\n"), text.npos);
    EXPECT_NE(text.find("Action: delayed\nStatus: 4.2.0\n"), text.npos);
    EXPECT_NE(text.find("\nWill-Retry-Until: Fri, 27 Nov 2026 06:07:24 +0000 (UTC)\n"), text.npos);
    EXPECT_NE(text.find("Content-Description: Undelivered Message Headers\n"), text.npos);
}

TEST_F(NoticeTest, ReportsSayByWhichWay)
{
    bad_.mutable_dsn()->set_action("delivered");
    bad_.mutable_dsn()->set_status("2.0.0");
    bad_.mutable_dsn()->set_reason("250 ok");
    const std::string text = render(NoticeKind::success, Attach::headers);
    EXPECT_NE(text.find("Subject: Successful Mail Delivery Report\n"), text.npos);
    EXPECT_NE(text.find("<bad5@y.example>: delivery via 127.0.0.1[127.0.0.1]:26101: 250 ok\n"), text.npos);
    EXPECT_NE(text.find("Content-Description: Message Headers\n"), text.npos);
}

TEST_F(NoticeTest, InternationalizedMail)
{
    envelope_.set_smtputf8(ipc::smtputf8::requested);
    bad_.mutable_recipient()->set_address("bad5\xc3\xbc@y.example");
    const std::string full = render(NoticeKind::failure, Attach::full);
    EXPECT_NE(full.find("report-type=global-delivery-status;\n"), full.npos);
    EXPECT_NE(full.find("Content-Type: message/global-delivery-status\nContent-Transfer-Encoding: 8bit\n\n"),
              full.npos);
    EXPECT_NE(full.find("Final-Recipient: utf-8; bad5\xc3\xbc@y.example\n"), full.npos);
    EXPECT_NE(full.find("Content-Type: message/global\n"), full.npos);
    EXPECT_NE(render(NoticeKind::failure, Attach::headers).find("Content-Type: message/global-headers\n"), full.npos);
}

TEST(NoticeText, Wrap)
{
    EXPECT_EQ(wrap("short"), "short\n");
    EXPECT_EQ(wrap(""), "\n");
    const std::string word(90, 'x');
    EXPECT_EQ(wrap("a " + word + " b"), "a\n    " + word + "\n    b\n");
    EXPECT_EQ(wrap(word), word + "\n");
    EXPECT_EQ(wrap(std::string(79, 'y') + " z  "), std::string(79, 'y') + "\n    z\n");
}

TEST(NoticeText, HeaderBlock)
{
    EXPECT_EQ(header_block("A: b\r\n c\r\n\r\nbody"), "A: b\r\n c\r\n");
    EXPECT_EQ(header_block("A: b\r\nnot a header\r\n"), "A: b\r\n");
    EXPECT_EQ(header_block(" c\r\n"), "");
    EXPECT_EQ(header_block("A: b"), "A: b");
    EXPECT_EQ(header_block(""), "");
}

TEST(Verp, Address)
{
    EXPECT_EQ(mail::verp_address("owner-list@a.example", "joe@b.example", "+="), "owner-list+joe=b.example@a.example");
    EXPECT_EQ(mail::verp_address("owner", "joe", "+="), "owner+joe");
}

TEST(BounceTemplates, FileReplacesWhatItNames)
{
    Templates templates;
    const auto problems =
        templates.read("# comment\n\nfailure_template = <<EOF\nCharset: us-ascii\nFrom: X <x@y>\nSubject: Nope\n"
                       "Postmaster-Subject: Copy\n\nHost $myhostname after $delay_warning_time_minutes, $$5.\nEOF\n"
                       "odd_template = <<E\nSubject: x\n\ny\nE\ndelay_template = <<EOF\nSubject:\n\ntext\nEOF\n"
                       "success_template = <<EOF\nSubject: y\nPostmaster-Subject: z\n\ntext\nEOF\nverify_template = "
                       "<<EOF\nSubject: x\nEOF\n",
                       "f");
    ASSERT_EQ(problems.size(), 4u);
    EXPECT_EQ(problems[0], "f, line 11: unknown template name: odd_template -- ignoring this template");
    EXPECT_EQ(templates.get(NoticeKind::failure).subject, "Nope");
    EXPECT_EQ(templates.get(NoticeKind::delay).subject, "Delayed Mail (still being retried)");
    auto config = config::Config::from_text("myhostname = h.example\ndelay_warning_time = 2h\n");
    std::vector<std::string> warnings;
    EXPECT_EQ(templates.expand(NoticeKind::failure, *config, warnings), "Host h.example after 120, $5.\n");
    EXPECT_TRUE(warnings.empty());
}

} // namespace
} // namespace facteur::bounce
