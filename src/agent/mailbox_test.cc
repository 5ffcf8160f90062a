#include "agent/mailbox.h"
#include "base/fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <thread>
#include <utility>

namespace facteur::agent {
namespace {

namespace fs = std::filesystem;

class MailboxTest : public testing::Test {
protected:
    void SetUp() override
    {
        char name[] = "/tmp/facteur-mailbox-XXXXXX";
        ASSERT_NE(::mkdtemp(name), nullptr);
        folder_ = name;
        const std::string content = "Subject: t\r\n\r\nFrom here\r\n";
        queue_file_ = std::move(*open_file(folder_ + "/queue", O_RDWR | O_CREAT, 0600));
        ASSERT_TRUE(write_all(queue_file_.get(), "header" + content, "queue"));
        message_ = {.head = "Return-Path: <>\n", .content = {nullptr, queue_file_.get(), 6, content.size()}};
        rules_.locks = {.fcntl = true, .flock = true, .dotlock = true};
        rules_.hostname = "host";
        owner_ = {::getuid(), ::getgid()};
    }
    void TearDown() override { fs::remove_all(folder_); }

    static MaildirResult write_one(const std::string& directory, const MailboxMessage& message,
                                   const MailboxRules& rules, MailboxOwner owner)
    {
        const std::array messages{&message};
        return std::move(write_to_maildir(directory, messages, rules, owner).front());
    }
    std::string text(const std::string& path) { return read_file(path).value_or("?"); }

    std::string folder_;
    UniqueFd queue_file_;
    MailboxMessage message_;
    MailboxRules rules_;
    MailboxOwner owner_;
};

TEST_F(MailboxTest, AppendsAndQuotes)
{
    const std::string path = folder_ + "/deep/er/box";
    const std::string one = "Return-Path: <>\nSubject: t\n\n>From here\n\n";
    ASSERT_TRUE(append_to_mailbox(path, message_, rules_, owner_));
    ASSERT_TRUE(append_to_mailbox(path, message_, rules_, owner_));
    EXPECT_EQ(text(path), one + one);
    EXPECT_EQ(fs::status(path).permissions(), fs::perms::owner_read | fs::perms::owner_write);
    EXPECT_FALSE(fs::exists(path + ".lock"));
}

TEST_F(MailboxTest, ALockedMailboxIsBusy)
{
    const std::string path = folder_ + "/box";
    ASSERT_TRUE(append_to_mailbox(path, message_, rules_, owner_));
    const std::string before = text(path);
    {
        auto other = open_file(path, O_RDWR);
        ASSERT_EQ(::flock(other->get(), LOCK_EX), 0);
        const auto result = append_to_mailbox(path, message_, rules_, owner_);
        ASSERT_FALSE(result);
        EXPECT_TRUE(result.error().busy);
    }
    auto dot = open_file(path + ".lock", O_WRONLY | O_CREAT, 0600);
    ASSERT_TRUE(dot);
    const auto result = append_to_mailbox(path, message_, rules_, owner_);
    ASSERT_FALSE(result);
    EXPECT_TRUE(result.error().busy);
    EXPECT_EQ(text(path), before);
}

TEST_F(MailboxTest, AStaleDotLockIsBroken)
{
    const std::string path = folder_ + "/box";
    ASSERT_TRUE(open_file(path + ".lock", O_WRONLY | O_CREAT, 0600));
    fs::last_write_time(path + ".lock", fs::file_time_type::clock::now() - std::chrono::hours(1));
    EXPECT_TRUE(append_to_mailbox(path, message_, rules_, owner_));
    EXPECT_FALSE(fs::exists(path + ".lock"));
}

TEST_F(MailboxTest, TheLimitLeavesTheMailboxAsItWas)
{
    const std::string path = folder_ + "/box";
    rules_.limit = 60;
    ASSERT_TRUE(append_to_mailbox(path, message_, rules_, owner_));
    const std::string before = text(path);
    const auto result = append_to_mailbox(path, message_, rules_, owner_);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().status, "5.2.2");
    EXPECT_EQ(result.error().reason, "error writing message: File too large");
    EXPECT_EQ(text(path), before);
}

TEST_F(MailboxTest, OddPlacesAreRefused)
{
    fs::create_directory(folder_ + "/directory");
    EXPECT_FALSE(append_to_mailbox(folder_ + "/directory", message_, rules_, owner_));
    ASSERT_EQ(::mkfifo((folder_ + "/fifo").c_str(), 0600), 0);
    EXPECT_FALSE(append_to_mailbox(folder_ + "/fifo", message_, rules_, owner_));
    ASSERT_TRUE(append_to_mailbox(folder_ + "/box", message_, rules_, owner_));
    fs::create_hard_link(folder_ + "/box", folder_ + "/box2");
    const auto linked = append_to_mailbox(folder_ + "/box", message_, rules_, owner_);
    ASSERT_FALSE(linked);
    EXPECT_EQ(linked.error().reason, "file has 2 hard links");
}

TEST_F(MailboxTest, MaildirTakesSeveralMessages)
{
    MailboxMessage broken = message_;
    broken.content.size += 100; // more than the queue file has
    const std::array messages{&std::as_const(message_), &std::as_const(broken), &std::as_const(message_)};
    const auto results = write_to_maildir(folder_ + "/u/", messages, rules_, owner_);
    ASSERT_EQ(results.size(), 3U);
    EXPECT_TRUE(results[0].has_value());
    EXPECT_FALSE(results[1].has_value());
    EXPECT_TRUE(results[2].has_value());
    EXPECT_NE(results[0]->path, results[2]->path);
    EXPECT_EQ(std::distance(fs::directory_iterator(folder_ + "/u/new"), {}), 2);
}

TEST_F(MailboxTest, MaildirIsMadeAndFilled)
{
    const std::string directory = folder_ + "/u/";
    for (int i = 0; i < 3; ++i)
        ASSERT_TRUE(write_one(directory, message_, rules_, owner_));
    int files = 0;
    for (const auto& file : fs::directory_iterator(directory + "new")) {
        ++files;
        EXPECT_EQ(text(file.path()), "Return-Path: <>\nSubject: t\n\nFrom here\n");
        EXPECT_NE(file.path().filename().string().find(".host"), std::string::npos);
    }
    EXPECT_EQ(files, 3);
    EXPECT_TRUE(fs::is_empty(directory + "tmp"));
    EXPECT_TRUE(fs::exists(directory + "cur"));
    EXPECT_EQ(fs::status(directory + "new").permissions(), fs::perms::owner_all);
}

TEST_F(MailboxTest, MaildirKeepsNothingOfAFailure)
{
    const std::string directory = folder_ + "/u/";
    rules_.limit = 10;
    const auto result = write_one(directory, message_, rules_, owner_);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().status, "5.2.2");
    EXPECT_TRUE(fs::is_empty(directory + "tmp"));
    EXPECT_TRUE(fs::is_empty(directory + "new"));
    rules_.limit = 0;
    message_.content.size += 100; // more than the queue file has
    EXPECT_FALSE(write_one(directory, message_, rules_, owner_));
    EXPECT_TRUE(fs::is_empty(directory + "tmp"));
    EXPECT_TRUE(fs::is_empty(directory + "new"));
}

TEST_F(MailboxTest, MaildirGivesBackWhatCouldNotBeFlushed)
{
    const std::string directory = folder_ + "/u/";
    const auto file = write_one(directory, message_, rules_, owner_);
    ASSERT_TRUE(file);
    EXPECT_EQ(fs::path(file->path).parent_path(), folder_ + "/u/new");
    const MailboxFailure failure = take_back(*file, owner_, EIO);
    EXPECT_EQ(failure.status, "5.3.0");
    EXPECT_TRUE(failure.unix_error);
    EXPECT_TRUE(fs::is_empty(directory + "new"));
}

TEST_F(MailboxTest, ThreadsActAsDifferentUsers)
{
    if (::getuid() != 0)
        GTEST_SKIP() << "needs root";
    fs::permissions(folder_, fs::perms::all);
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < 8; ++i)
        threads.emplace_back([this, i] {
            for (int n = 0; n < 10; ++n)
                EXPECT_TRUE(write_one(fmt::format("{}/user{}/", folder_, i), message_, rules_, {20000 + i, 30000 + i}));
        });
    for (auto& thread : threads)
        thread.join();
    for (unsigned i = 0; i < 8; ++i)
        for (const auto& file : fs::directory_iterator(fmt::format("{}/user{}/new", folder_, i))) {
            struct stat status{};
            ASSERT_EQ(::stat(file.path().c_str(), &status), 0);
            EXPECT_EQ(status.st_uid, 20000 + i);
            EXPECT_EQ(status.st_gid, 30000 + i);
        }
    EXPECT_EQ(::geteuid(), 0u);
}

TEST(MailboxLocksTest, Parse)
{
    EXPECT_TRUE(MailboxLocks::parse("fcntl, dotlock")->dotlock);
    EXPECT_FALSE(MailboxLocks::parse("flock")->fcntl);
    EXPECT_FALSE(MailboxLocks::parse("lockf"));
    EXPECT_FALSE(MailboxLocks::parse(""));
}

} // namespace
} // namespace facteur::agent
