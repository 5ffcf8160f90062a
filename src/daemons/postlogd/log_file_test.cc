#include "daemons/postlogd/log_file.h"

#include <gtest/gtest.h>

using namespace facteur::postlogd;

TEST(LogFile, LinesAreMadeHarmlessAndComplete)
{
    EXPECT_EQ(sanitize("a\x01"
                       "b\nc"),
              "a?b\nc\n");
    EXPECT_EQ(sanitize("caf\xC3\xA9\n"), "caf\xC3\xA9\n");
    EXPECT_EQ(sanitize("bad \xC3\n"), "bad ?\n");
    EXPECT_EQ(sanitize("\n\n"), "");
}

TEST(LogFile, OnlyListedPrefixesAreAllowed)
{
    EXPECT_TRUE(has_allowed_prefix("/var/log/mail.log", "/var, /dev/stdout"));
    EXPECT_TRUE(has_allowed_prefix("/dev/stdout", "/var, /dev/stdout"));
    EXPECT_FALSE(has_allowed_prefix("/variant/mail.log", "/var, /dev/stdout"));
    EXPECT_FALSE(has_allowed_prefix("/etc/passwd", "/var, /dev/stdout"));
    EXPECT_TRUE(has_allowed_prefix("/tmp/x/maillog", "/tmp/x/ /var"));
}
