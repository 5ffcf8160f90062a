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
