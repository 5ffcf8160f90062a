#include "tools/postqueue/listing.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

namespace facteur::postqueue {
namespace {

// A page in the making, and what a listing makes of it.
class Page {
public:
    Page& recipient(std::string_view address, std::string_view reason = {})
    {
        writer_.recipient({address, writer_.text(reason)});
        return *this;
    }
    Page& message(ipc::ListedMessage message, std::string_view sender)
    {
        message.sender = writer_.text(sender);
        writer_.message(message);
        return *this;
    }
    Page& deferred()
    {
        for (const char* address : {"q\"b@d2.example", "x@d2.example"})
            recipient(address, "connect to 127.0.0.1[127.0.0.1]:27001: Connection refused");
        return message({.id = "30379A72464", .queue = "deferred", .arrival_seconds = 1795327487, .size = 279},
                       "a b@a.example");
    }
    template <typename Listing>
    std::string shown_by(Listing& listing) const
    {
        std::string out;
        listing.begin_page();
        for (ipc::ListPage page(writer_.bytes()); page.next();)
            listing.append(out, page);
        return out;
    }
    [[nodiscard]] std::string as_json() const
    {
        JsonListing listing;
        return shown_by(listing);
    }

private:
    ipc::ListPageWriter writer_;
};

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
    EXPECT_EQ(Page().deferred().shown_by(listing),
              "-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------\n"
              "30379A72464     279 Sun Nov 22 06:04:47  \"a b\"@a.example\n"
              "                   (connect to 127.0.0.1[127.0.0.1]:27001: Connection refused)\n"
              "                                         \"q\\\"b\"@d2.example\n"
              "                                         x@d2.example\n");
    Page held;
    held.message(
        {.id = "4B984A725F0", .queue = "hold", .arrival_seconds = 1795327487, .size = 267, .forced_expire = true}, "");
    EXPECT_EQ(held.shown_by(listing), "\n4B984A725F0!#     267 Sun Nov 22 06:04:47  MAILER-DAEMON\n");
    EXPECT_EQ(listing.end(), "\n-- 0 Kbytes in 2 Requests.\n");
}

TEST_F(Listing, LongIdsHaveWiderColumns)
{
    TraditionalListing listing(IdWidth::long_ids);
    Page page;
    page.recipient("u@d1.example")
        .message({.id = "4jXJSy2WKBz1bYTZ", .queue = "deferred", .arrival_seconds = 1795327487, .size = 279},
                 "a b@a.example");
    EXPECT_EQ(page.shown_by(listing), "----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------\n"
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
        Page().deferred().as_json(),
        R"({"queue_name": "deferred", "queue_id": "30379A72464", "arrival_time": 1795327487, "message_size": 279, )"
        R"("forced_expire": false, "sender": "\"a b\"@a.example", "recipients": [{"address": "\"q\\\"b\"@d2.example", )"
        R"("delay_reason": "connect to 127.0.0.1[127.0.0.1]:27001: Connection refused"}, {"address": "x@d2.example", )"
        R"("delay_reason": "connect to 127.0.0.1[127.0.0.1]:27001: Connection refused"}]})"
        "\n");
    Page odd;
    odd.message({.id = "30379A72464", .queue = "active"}, "tab\there\x01\xff");
    EXPECT_NE(odd.as_json().find(R"("sender": "\"tab?here??\"")"), std::string::npos) << odd.as_json();
}

// What needs no quoting takes a short way: both must agree on every address.
TEST_F(Listing, AddressesAreQuotedWhereTheyMustBe)
{
    const std::pair<const char*, const char*> cases[] = {
        {"a.b+c@x.example", "a.b+c@x.example"},
        {"local", "local"},
        {"a@", "a@"},
        {".a@x.example", R"(".a"@x.example)"},
        {"a.@x.example", R"("a."@x.example)"},
        {"a..b@x.example", R"("a..b"@x.example)"},
        {"a@b@x.example", R"("a@b"@x.example)"},
        {"@x.example", R"(""@x.example)"},
        {"a b@x.example", R"("a b"@x.example)"},
        {"a.", R"("a.")"},
        {"", "MAILER-DAEMON"},
        {"a@[192.0.2.1]", "a@[192.0.2.1]"},
        {"m\xc3\xbcller@x.example", "m\xc3\xbcller@x.example"},
        {"m\xfcller@x.example", "m?ller@x.example"},
    };
    for (const auto& [internal, external] : cases) {
        TraditionalListing listing(IdWidth::short_ids);
        Page page;
        page.recipient(internal).message({.id = "30379A72464", .queue = "deferred"}, internal);
        EXPECT_EQ(page.shown_by(listing), "-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------\n"
                                          "30379A72464       0 Thu Jan  1 00:00:00  " +
                                              std::string(external) + "\n" + std::string(41, ' ') + external + "\n");
    }
}

TEST_F(Listing, TimesAreLocal)
{
    ::setenv("TZ", "XXX-5:30:20", 1); // a zone that is off by seconds, too
    ::tzset();
    ArrivalTexts texts;
    const auto text = [&texts](std::int64_t seconds) {
        std::string out;
        texts.append(out, seconds);
        return out;
    };
    EXPECT_EQ(text(0), "Thu Jan  1 05:30:20");
    EXPECT_EQ(text(59), "Thu Jan  1 05:31:19");
    ::setenv("TZ", "XXX-5:30", 1);
    ::tzset();
    texts = {};
    for (int again = 0; again < 2; ++again) {
        EXPECT_EQ(text(1795327487), "Sun Nov 22 11:34:47");
        EXPECT_EQ(text(1795327487 + 60 * 8192), "Sat Nov 28 04:06:47"); // the same place in memory
        EXPECT_EQ(text(-1), "Thu Jan  1 05:29:59");
    }
}

} // namespace
} // namespace facteur::postqueue
