#include "daemons/local/local_agent.h"

#include <gtest/gtest.h>

namespace facteur::local {
namespace {

TEST(Loops, DeliveredToOfTheSameAddress)
{
    constexpr std::string_view kContent =
        "Received: x\r\nDELIVERED-to:  Joe@mx.example \r\nTo: a\r\n\r\nDelivered-To: body@mx.example\r\n";
    EXPECT_TRUE(delivered_before(kContent, "joe@mx.example"));
    EXPECT_FALSE(delivered_before(kContent, "oe@mx.example"));
    EXPECT_FALSE(delivered_before(kContent, "body@mx.example"));
    EXPECT_FALSE(delivered_before("", "joe@mx.example"));
}

} // namespace
} // namespace facteur::local
