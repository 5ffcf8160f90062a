#include "config/master_cf.h"

#include <gtest/gtest.h>

namespace facteur::config {
namespace {

TEST(MasterCf, ReadsEntries)
{
    const auto config = Config::from_text("compatibility_level = 3.6");
    const auto entries = parse_master_cf("# service type  private unpriv chroot wakeup maxproc command\n"
                                         "smtp inet n - y - - smtpd\n"
                                         "  -o smtpd_tls_security_level=encrypt\n"
                                         "# within\n"
                                         "  -o { smtpd_client_restrictions = permit_mynetworks, reject }\n"
                                         "\n"
                                         "[::1]:submission inet n - n - 5 smtpd -v\n"
                                         "qmgr unix n - n 300 1 qmgr\n"
                                         "tlsmgr unix - - y 1000? 1 tlsmgr\n"
                                         "maildrop  unix  -       n       n       -       0       pipe\n"
                                         "  flags=DRXhu user=vmail argv=/usr/bin/maildrop -d ${recipient} { a b }\n"
                                         "postlog unix-dgram n - n - 1 postlogd\n",
                                         *config);
    ASSERT_TRUE(entries) << entries.error().message();
    ASSERT_EQ(entries->size(), 6U);
    const auto& smtp = (*entries)[0];
    EXPECT_EQ(smtp.service_key(), "smtp/inet");
    EXPECT_FALSE(smtp.is_private);
    EXPECT_TRUE(smtp.unprivileged);
    EXPECT_TRUE(smtp.chroot);
    EXPECT_EQ(smtp.process_limit, -1);
    EXPECT_EQ(smtp.line, 2);
    const Overrides expected{{"smtpd_tls_security_level", "encrypt"},
                             {"smtpd_client_restrictions", "permit_mynetworks, reject"}};
    EXPECT_EQ(smtp.overrides(), expected);
    EXPECT_EQ((*entries)[1].name, "[::1]:submission");
    EXPECT_EQ((*entries)[1].process_limit, 5);
    EXPECT_EQ((*entries)[2].wakeup_seconds, 300);
    EXPECT_FALSE((*entries)[2].wakeup_if_used);
    EXPECT_TRUE((*entries)[3].wakeup_if_used);
    EXPECT_EQ((*entries)[4].process_limit, 0);
    EXPECT_EQ((*entries)[4].args.back(), "a b");
    EXPECT_FALSE((*entries)[4].unprivileged);
    EXPECT_EQ((*entries)[5].service_key(), "postlog/unix-dgram");
}

TEST(MasterCf, ChrootDefaultFollowsTheCompatibilityLevel)
{
    constexpr std::string_view kLine = "smtp unix - - - - - smtp\n";
    EXPECT_TRUE(parse_master_cf(kLine, *Config::from_text(""))->front().chroot);
    EXPECT_FALSE(parse_master_cf(kLine, *Config::from_text("compatibility_level = 2"))->front().chroot);
}

TEST(MasterCf, SaysWhatIsWrongAndWhere)
{
    const auto config = Config::from_text("");
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"smtp\n", "master.cf, line 1: missing \"transport type\" field"},
        {"\nsmtp inet n\n", "master.cf, line 2: missing \"unprivileged\" field"},
        {"smtp inet n - - - -\n", "master.cf, line 1: missing \"command\" field"},
        {"smtp tcp n - - - - smtpd\n", "master.cf, line 1: field \"transport type\": bad value: \"tcp\""},
        {"smtp inet q - - - - smtpd\n", "master.cf, line 1: field \"private\": bad value: \"q\""},
        {"smtp inet y - - - - smtpd\n", "master.cf, line 1: field \"private\": bad value: \"y\""},
        {"smtp inet n - - x - smtpd\n", "master.cf, line 1: field \"wakeup_time\": bad value: \"x\""},
        {"smtp inet n - - - -5 smtpd\n", "master.cf, line 1: field \"process_limit\": bad value: \"-5\""},
        {"smtp inet n - - - - /bin/smtpd\n", "master.cf, line 1: field \"command\": bad value: \"/bin/smtpd\""},
        {"smtp inet n - - - - smtpd -o { a = b\n", "master.cf, line 1: missing '}' in \"{ a = b\""},
        {"  smtp inet n - - - - smtpd\n", "master.cf, line 1: logical line must not start with whitespace"},
    };
    for (const auto& [text, message] : cases) {
        const auto entries = parse_master_cf(text, *config);
        ASSERT_FALSE(entries) << text;
        EXPECT_EQ(entries.error().message(), message);
    }
}

TEST(MasterCf, TheLastOfTwinsCounts)
{
    const auto entries =
        parse_master_cf("a unix - - - - - b\na inet n - - - - x\na unix - - - - - c\n", *Config::from_text(""));
    ASSERT_TRUE(entries);
    ASSERT_EQ(entries->size(), 2U);
    EXPECT_EQ(entries->front().program, "c");
}

} // namespace
} // namespace facteur::config
