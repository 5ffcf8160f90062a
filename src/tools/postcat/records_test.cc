#include "tools/postcat/records.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

namespace facteur::postcat {
namespace {

std::string local_message()
{
    queue::Envelope envelope;
    envelope.set_sender("fs@a.example");
    envelope.set_full_name("Full Name");
    envelope.set_rewrite_context("local");
    envelope.set_arrival_seconds(1795327732);
    envelope.set_dsn_envid("ENV1");
    envelope.set_dsn_ret(2);
    envelope.set_warn_at_seconds(1795331332);
    auto* const recipient = envelope.add_recipients();
    recipient->set_address("u@d1.example");
    recipient->set_dsn_notify(10);
    recipient->set_dsn_orcpt("rfc822;u@d1.example");
    return queue::encode_queue_file("Subject: x\r\n folded\r\n\r\nhi\r\n.dot\r\n", envelope, 0);
}

class Records : public testing::Test {
protected:
    void SetUp() override
    {
        ::setenv("TZ", "UTC", 1);
        ::tzset();
    }
    std::string bytes_ = local_message();
    Message message_ = *parse_message(bytes_, "deferred/4/46119A725F6");
};

TEST_F(Records, EverythingWithTypes)
{
    EXPECT_EQ(print_message(message_, {.decimal_types = true}), R"(*** ENVELOPE RECORDS deferred/4/46119A725F6 ***
 67 message_size:              33             128               1               0              33               0
 84 message_arrival_time: Sun Nov 22 06:08:52 2026
 65 create_time: Sun Nov 22 06:08:52 2026
 65 named_attribute: envelope_id=ENV1
 65 named_attribute: ret_flags=2
 65 named_attribute: rewrite_context=local
 70 sender_fullname: Full Name
 83 sender: fs@a.example
 87 warning_message_time: Sun Nov 22 07:08:52 2026
 65 named_attribute: notify_flags=10
 65 named_attribute: dsn_orig_rcpt=rfc822;u@d1.example
 79 original_recipient: u@d1.example
 82 recipient: u@d1.example
 77 *** MESSAGE CONTENTS deferred/4/46119A725F6 ***
 78 Subject: x
 78  folded
 78 
 78 hi
 78 .dot
 88 *** HEADER EXTRACTED deferred/4/46119A725F6 ***
 69 *** MESSAGE FILE END deferred/4/46119A725F6 ***
)");
}

TEST_F(Records, PartsAlone)
{
    EXPECT_EQ(print_message(message_, {.envelope = false, .header = true, .body = false}), "Subject: x\n folded\n");
    EXPECT_EQ(print_message(message_, {.envelope = false, .header = false, .body = true}), "\nhi\n.dot\n");
    EXPECT_EQ(print_message(message_, {.envelope = false, .header = true, .body = true, .offsets = true}),
              "      128 Subject: x\n      140  folded\n      149 \n      151 hi\n      155 .dot\n");
}

TEST(RecordsOfOtherFiles, AreRefused)
{
    const std::string bytes = local_message();
    EXPECT_FALSE(parse_message("root:x:0:0", "passwd"));
    EXPECT_FALSE(parse_message(std::string_view(bytes).substr(0, bytes.size() - 1), "short"));
    EXPECT_FALSE(parse_message("", "empty"));
}

} // namespace
} // namespace facteur::postcat
