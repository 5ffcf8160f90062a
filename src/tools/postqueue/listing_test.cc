#include "tools/postqueue/listing.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

namespace facteur::postqueue {
namespace {

ipc::ListEntry deferred()
{
    ipc::ListEntry entry;
    entry.set_queue_id("30379A72464");
    entry.set_queue("deferred");
    entry.set_arrival_seconds(1795327487);
    entry.set_size(279);
    entry.set_sender(R"("a b"@a.example)");
    for (const char* address : {R"("q\"b"@d2.example)", "x@d2.example"}) {
        auto* const recipient = entry.add_recipients();
        recipient->set_address(address);
        recipient->set_reason("connect to 127.0.0.1[127.0.0.1]:27001: Connection refused");
    }
    return entry;
}

class Listing : public testing::Test {
protected:
    void SetUp() override
    {
        ::setenv("TZ", "UTC", 1);
        ::tzset();
    }
};

TEST_F(Listing, TraditionalIsByteForByte)
{
    TraditionalListing listing(IdWidth::short_ids);
    EXPECT_EQ(listing.entry(deferred()),
              "-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------\n"
              "30379A72464     279 Sun Nov 22 06:04:47  \"a b\"@a.example\n"
              "                   (connect to 127.0.0.1[127.0.0.1]:27001: Connection refused)\n"
              "                                         \"q\\\"b\"@d2.example\n"
              "                                         x@d2.example\n");
    ipc::ListEntry held;
    held.set_queue_id("4B984A725F0");
    held.set_queue("hold");
    held.set_forced_expire(true);
    held.set_size(267);
    held.set_arrival_seconds(1795327487);
    held.set_sender("MAILER-DAEMON");
    EXPECT_EQ(listing.entry(held), "\n4B984A725F0!#     267 Sun Nov 22 06:04:47  MAILER-DAEMON\n");
    EXPECT_EQ(listing.end(), "\n-- 0 Kbytes in 2 Requests.\n");
}

TEST_F(Listing, LongIdsHaveWiderColumns)
{
    TraditionalListing listing(IdWidth::long_ids);
    auto entry = deferred();
    entry.set_queue_id("4jXJSy2WKBz1bYTZ");
    entry.clear_recipients();
    entry.add_recipients()->set_address("u@d1.example");
    EXPECT_EQ(listing.entry(entry), "----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------\n"
                                    "4jXJSy2WKBz1bYTZ       279 Sun Nov 22 06:04:47 \"a b\"@a.example\n"
                                    "                                               u@d1.example\n");
    EXPECT_EQ(listing.end(), "\n-- 0 Kbytes in 1 Request.\n");
}

TEST_F(Listing, EmptyQueue)
{
    EXPECT_EQ(TraditionalListing(IdWidth::short_ids).end(), "Mail queue is empty\n");
}

TEST_F(Listing, Json)
{
    EXPECT_EQ(
        json_line(deferred()),
        R"({"queue_name": "deferred", "queue_id": "30379A72464", "arrival_time": 1795327487, "message_size": 279, )"
        R"("forced_expire": false, "sender": "\"a b\"@a.example", "recipients": [{"address": "\"q\\\"b\"@d2.example", )"
        R"("delay_reason": "connect to 127.0.0.1[127.0.0.1]:27001: Connection refused"}, {"address": "x@d2.example", )"
        R"("delay_reason": "connect to 127.0.0.1[127.0.0.1]:27001: Connection refused"}]})"
        "\n");
    ipc::ListEntry odd;
    odd.set_sender("tab\there\x01\xff");
    EXPECT_NE(json_line(odd).find(R"("sender": "tab?here??")"), std::string::npos);
}

} // namespace
} // namespace facteur::postqueue
