#include "ipc/list_page.h"

#include <gtest/gtest.h>

namespace facteur::ipc {
namespace {

std::string two_messages()
{
    ListPageWriter writer;
    const auto sender = writer.text("a@a.example");
    const auto reason = writer.text("connection refused");
    writer.recipient({"x@d1.example", reason});
    writer.recipient({"", kEmptyText});
    writer.message({.id = "30379A72464",
                    .queue = "deferred",
                    .arrival_seconds = 1795327487,
                    .next_try_seconds = 1795331087,
                    .size = 279,
                    .sender = sender,
                    .forced_expire = true});
    writer.message({.id = "4B984A725F0", .queue = "hold", .arrival_seconds = -1});
    EXPECT_EQ(writer.messages(), 2U);
    return writer.bytes();
}

TEST(ListPage, WhatWasWrittenIsRead)
{
    const std::string bytes = two_messages();
    ListPage page(bytes);
    ASSERT_TRUE(page.next());
    EXPECT_EQ(page.message().id, "30379A72464");
    EXPECT_EQ(page.message().queue, "deferred");
    EXPECT_EQ(page.message().arrival_seconds, 1795327487);
    EXPECT_EQ(page.message().next_try_seconds, 1795331087);
    EXPECT_EQ(page.message().size, 279U);
    EXPECT_TRUE(page.message().forced_expire);
    EXPECT_EQ(page.text(page.message().sender), "a@a.example");
    ListedRecipient recipient;
    ASSERT_TRUE(page.next_recipient(recipient));
    EXPECT_EQ(recipient.address, "x@d1.example");
    EXPECT_EQ(page.text(recipient.reason), "connection refused");
    ASSERT_TRUE(page.next_recipient(recipient));
    EXPECT_EQ(recipient.address, "");
    EXPECT_EQ(recipient.reason, kEmptyText);
    EXPECT_FALSE(page.next_recipient(recipient));
    ASSERT_TRUE(page.next());
    EXPECT_EQ(page.message().id, "4B984A725F0");
    EXPECT_EQ(page.message().queue, "hold");
    EXPECT_EQ(page.message().arrival_seconds, -1);
    EXPECT_EQ(page.message().sender, kEmptyText);
    EXPECT_FALSE(page.message().forced_expire);
    EXPECT_FALSE(page.next_recipient(recipient));
    EXPECT_FALSE(page.next());
    EXPECT_FALSE(page.bad());
}

TEST(ListPage, RecipientsMayBePassedOver)
{
    const std::string bytes = two_messages();
    ListPage page(bytes);
    EXPECT_TRUE(page.next());
    EXPECT_TRUE(page.next());
    EXPECT_EQ(page.message().id, "4B984A725F0");
    EXPECT_FALSE(page.next());
    EXPECT_FALSE(page.bad());
}

TEST(ListPage, NothingIsAPage)
{
    ListPage page("");
    EXPECT_FALSE(page.next());
    EXPECT_FALSE(page.bad());
}

TEST(ListPage, EveryTornPageEnds)
{
    const std::string bytes = two_messages();
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        ListPage page(std::string_view(bytes).substr(0, size));
        int messages = 0;
        while (page.next())
            ++messages;
        EXPECT_LE(messages, 2);
    }
}

TEST(ListPage, NonsenseIsBad)
{
    for (const std::string_view bytes : {std::string_view("\x07"), std::string_view("\x00\x7f\x01", 3),
                                         std::string_view("\x01\x0f\x00\x00\x00\x00\x00\x00", 8),
                                         // a sender that was not said, a number without an end
                                         std::string_view("\x01\x00\x00\x00\x00\x00\x05\x00", 8),
                                         std::string_view("\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12)}) {
        ListPage page(bytes);
        EXPECT_FALSE(page.next());
        EXPECT_TRUE(page.bad());
    }
}

} // namespace
} // namespace facteur::ipc
