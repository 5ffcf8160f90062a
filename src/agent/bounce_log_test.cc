#include "agent/bounce_log.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace facteur::agent {
namespace {

ipc::LogRecipient entry(std::string_view address, std::string_view status, std::uint64_t offset)
{
    ipc::LogRecipient out;
    out.mutable_recipient()->set_address(std::string(address));
    out.mutable_recipient()->set_original("list@x.example");
    out.mutable_recipient()->set_dsn_orcpt("rfc822;a b@x.example");
    out.mutable_recipient()->set_dsn_notify(6);
    out.set_status_offset(offset);
    out.set_relay("mx[192.0.2.1]:25");
    out.mutable_dsn()->set_status(std::string(status));
    out.mutable_dsn()->set_action("failed");
    out.mutable_dsn()->set_reason("100% wrong:\r\nno \x7f\xc3\xa9");
    out.mutable_dsn()->set_diagnostic_type("smtp");
    out.mutable_dsn()->set_diagnostic_text("550 5.1.1 no = user");
    out.mutable_dsn()->set_remote_mta_type("dns");
    out.mutable_dsn()->set_remote_mta("mx");
    return out;
}

TEST(BounceLog, LineRoundTrip)
{
    const auto before = entry("joe smith@y.example", "5.1.1", 1234567890123);
    const std::string line = encode_log_line(before);
    EXPECT_EQ(line.find('\n'), line.size() - 1);
    const auto after = parse_log_line(std::string_view(line).substr(0, line.size() - 1));
    ASSERT_TRUE(after);
    EXPECT_EQ(after->SerializeAsString(), before.SerializeAsString());
}

TEST(BounceLog, DamagedLinesAreRefused)
{
    for (const std::string_view line :
         {"", "recipient=a@b", "status=5.1.1", "recipient=a%4 status=5.1.1", "recipient=a%zz status=5.1.1",
          "recipient=a status=5.1.1 offset=x", "recipient=a status=5.1.1 offset=1 notify=-1", "recipient"})
        EXPECT_FALSE(parse_log_line(line)) << line;
    EXPECT_TRUE(parse_log_line("recipient=a status=5.1.1 later=field"));
}

TEST(BounceLog, TheLastRecordOfARecipientCounts)
{
    const std::string text = encode_log_line(entry("a@x", "4.1.1", 10)) + encode_log_line(entry("b@x", "4.2.2", 11)) +
                             "torn \x01\n" + encode_log_line(entry("a@x", "4.3.3", 10)) + "recipient=c@x status=5.0.0";
    const LoggedRecipients logged = parse_log(text);
    EXPECT_EQ(logged.damaged, 2);
    ASSERT_EQ(logged.entries.size(), 2u);
    EXPECT_EQ(logged.entries[0].dsn().status(), "4.3.3");
    EXPECT_EQ(logged.entries[1].recipient().address(), "b@x");
}

TEST(BounceLog, FileIsMadeWithItsDirectories)
{
    char folder[] = "/tmp/facteur-bounce-log-XXXXXX";
    ASSERT_NE(::mkdtemp(folder), nullptr);
    const std::string path = std::string(folder) + "/defer/5/5A04BA72140";
    EXPECT_EQ(read_log(path).error().code, ENOENT);
    ASSERT_TRUE(append_to_log(path, entry("a@x", "4.1.1", 10)));
    ASSERT_TRUE(append_to_log(path, entry("b@x", "4.1.1", 11)));
    const auto logged = read_log(path);
    ASSERT_TRUE(logged);
    EXPECT_EQ(logged->entries.size(), 2u);
    std::filesystem::remove_all(folder);
}

// What a power failure or a full disk left of a line must not take the next one with it.
TEST(BounceLog, ALineAfterATornOneCounts)
{
    char folder[] = "/tmp/facteur-bounce-log-XXXXXX";
    ASSERT_NE(::mkdtemp(folder), nullptr);
    const std::string path = std::string(folder) + "/bounce/5A04BA72140";
    for (const std::string& torn : {std::string(200, '\0'), std::string("recipient=a@x sta"), std::string("x")}) {
        std::filesystem::remove(path);
        ASSERT_TRUE(append_to_log(path, entry("a@x", "5.1.1", 10)));
        std::ofstream(path, std::ios::binary | std::ios::app) << torn;
        ASSERT_TRUE(append_to_log(path, entry("b@x", "5.1.1", 11)));
        ASSERT_TRUE(append_to_log(path, entry("c@x", "5.1.1", 12)));
        const auto logged = read_log(path);
        ASSERT_TRUE(logged);
        ASSERT_EQ(logged->entries.size(), 3u);
        EXPECT_EQ(logged->entries[1].recipient().address(), "b@x");
    }
    std::filesystem::remove_all(folder);
}

} // namespace
} // namespace facteur::agent
