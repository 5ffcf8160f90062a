#include "queue/journal.h"
#include "queue/journal_format.h"
#include "queue/queue_file.h"
#include "queue/recovery.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

namespace facteur::queue {
namespace {

class JournalTest : public ::testing::Test {
protected:
    void SetUp() override
    {
        char name[] = "/tmp/facteur-journal-XXXXXX";
        root_ = ::mkdtemp(name);
        ASSERT_EQ(::chdir(root_.c_str()), 0);
        for (const auto queue : kMessageQueues)
            std::filesystem::create_directory(queue);
    }
    void TearDown() override
    {
        ASSERT_EQ(::chdir("/"), 0);
        std::filesystem::remove_all(root_);
    }
    std::string root_;
    Spool spool_{"deferred, defer", 1};
};

std::string message(std::string_view content)
{
    Envelope envelope;
    envelope.set_sender("a@b");
    envelope.add_recipients()->set_address("c@d");
    envelope.add_recipients()->set_address("e@f");
    return encode_queue_file(content, envelope, 0);
}

event::Task<void> append_many(Journal& journal, int first, int count, int& committed)
{
    for (int i = first; i < first + count; ++i) {
        journal.append(RecordType::message, fmt::format("ID{:06}", i), message(std::string(3000, 'x')));
        const auto done = co_await journal.commit();
        EXPECT_TRUE(done.has_value());
        ++committed;
    }
}

event::Task<void> wait_for(event::Loop& loop, int& committed, int wanted)
{
    while (committed < wanted)
        co_await loop.sleep(event::milliseconds(2));
}

TEST_F(JournalTest, EverythingCommittedIsReplayed)
{
    int committed = 0;
    {
        event::Loop loop;
        event::WorkerPool pool(loop, 2);
        auto journal = Journal::open(loop, pool, {.name = "cleanup", .segment_size = 256 << 10});
        ASSERT_TRUE(journal.has_value()) << journal.error().message();
        for (int writer = 0; writer < 20; ++writer)
            event::spawn(append_many(**journal, writer * 10, 10, committed));
        loop.run_until_done(wait_for(loop, committed, 200));
    }
    // No file was ever written: as after a power failure that lost them all. Some may have been checkpointed away when
    // segments filled up, which a real crash could not have done without their files being on disk.
    const auto report = recover(spool_);
    ASSERT_TRUE(report.has_value()) << report.error().message();
    EXPECT_GT(report->replayed, 0U);
    EXPECT_EQ(recover(spool_)->replayed, 0U);
    std::size_t whole = 0;
    ASSERT_TRUE(spool_.scan(kIncoming, [&](const std::string&, const std::string& path) {
        whole += QueueFile::open(path, O_RDONLY).has_value();
        return true;
    }));
    EXPECT_EQ(whole, report->replayed);
}

event::Task<void> commit_all(Journal& journal)
{
    const auto done = co_await journal.commit();
    EXPECT_TRUE(done.has_value());
}

TEST_F(JournalTest, RemovalsAndDoneRecipientsCount)
{
    const std::string bytes = message("hi\r\n");
    const auto header = QueueFileHeader::parse(bytes);
    {
        event::Loop loop;
        event::WorkerPool pool(loop, 2);
        auto arrivals = Journal::open(loop, pool, {.name = "cleanup", .segment_size = 256 << 10});
        auto ends = Journal::open(
            loop, pool,
            {.name = "qmgr", .segment_size = 64 << 10, .promise = Journal::Options::Promise::write_through});
        (*arrivals)->append(RecordType::message, "GONE001", bytes);
        (*arrivals)->append(RecordType::message, "PART001", bytes);
        loop.run_until_done(commit_all(**arrivals));
        const std::uint64_t second = header->status_offset() + 1;
        (*ends)->append(RecordType::removed, "GONE001", {});
        (*ends)->append(RecordType::recipient_done, "PART001", {reinterpret_cast<const char*>(&second), 8});
        (*ends)->write_through(); // and the process dies: nothing is flushed
        // The disk kept a delivered message's file: its removal was not flushed.
        const auto left = open_file("deferred/G/GONE001", O_WRONLY | O_CREAT, 0700);
        std::filesystem::create_directory("deferred/G");
        const auto again = open_file("deferred/G/GONE001", O_WRONLY | O_CREAT, 0700);
        ASSERT_TRUE(write_all(again->get(), bytes, "x"));
    }
    const auto report = recover(spool_);
    ASSERT_TRUE(report.has_value());
    EXPECT_EQ(report->replayed, 1U);
    EXPECT_EQ(report->removed, 1U);
    EXPECT_FALSE(spool_.find("GONE001"));
    const auto file = QueueFile::open("incoming/PART001", O_RDONLY);
    ASSERT_TRUE(file.has_value());
    EXPECT_EQ(file->read_states(), "RD");
}

// The queue manager was killed and started again while cleanup's journal may still be replayed.
TEST_F(JournalTest, RemovalsOutliveTheirWriter)
{
    const auto ends_options = [] {
        return Journal::Options{.name = "qmgr",
                                .segment_size = 64 << 10,
                                .forget_before = [] { return oldest_live_record("cleanup"); },
                                .promise = Journal::Options::Promise::write_through};
    };
    event::Loop loop;
    event::WorkerPool pool(loop, 2);
    {
        auto arrivals = Journal::open(loop, pool, {.name = "cleanup", .segment_size = 256 << 10});
        for (const char* id : {"GONE001", "GONE002", "GONE003"})
            (*arrivals)->append(RecordType::message, id, message("hi\r\n"));
        loop.run_until_done(commit_all(**arrivals));
        for (const char* id : {"GONE001", "GONE002", "GONE003"}) {
            auto ends = Journal::open(loop, pool, ends_options());
            ASSERT_TRUE(ends.has_value());
            (*ends)->append(RecordType::removed, id, {});
            (*ends)->write_through();
        }
    }
    const auto report = recover(spool_);
    ASSERT_TRUE(report.has_value());
    EXPECT_EQ(report->replayed, 0U);
}

TEST(JournalFormat, StopsAtStaleAndDamagedRecords)
{
    std::string segment = encode_segment_header(7);
    std::string first = encode_record(RecordType::message, "ABCDEF", "one");
    std::string second = encode_record(RecordType::removed, "ABCDEF", "");
    seal_records(first, 7);
    seal_records(second, 6); // left from an earlier use of the segment
    EXPECT_EQ(parse_segment_header(segment), 7U);
    EXPECT_EQ(parse_segment(segment + first, 7).size(), 1U);
    EXPECT_EQ(parse_segment(segment + first + second, 7).size(), 1U);
    first[40] ^= 1;
    EXPECT_EQ(parse_segment(segment + first, 7).size(), 0U);
}

TEST(JournalFormat, ADamagedBodyHidesNoOtherRecord)
{
    std::string group = encode_record(RecordType::message, "ABCDEF", std::string(100, 'x'));
    const std::size_t second = group.size();
    group += encode_record(RecordType::removed, "GHIJKL", "");
    seal_records(group, 7);
    for (std::size_t at = 0; at < second; ++at) {
        std::string damaged = group;
        damaged[at] ^= 1;
        const std::string segment = encode_segment_header(7) + damaged;
        const auto records = parse_segment(segment, 7);
        const bool padding = at >= sizeof(RecordHeader) + 6 + 100;
        const bool length_is_known = at >= sizeof(RecordHeader) || (at >= offsetof(RecordHeader, checksum) &&
                                                                    at < offsetof(RecordHeader, header_checksum));
        ASSERT_EQ(records.size(), padding ? 2U : length_is_known ? 1U : 0U) << at;
        if (!records.empty())
            EXPECT_EQ(records.back().id, "GHIJKL");
    }
}

// A mail that contains what a record looks like: its bytes are skipped with the damaged record that holds them.
TEST(JournalFormat, ARecordInsideADamagedOneIsNone)
{
    std::string forged = encode_record(RecordType::removed, "VICTIM", "");
    seal_records(forged, 7);
    std::string group = encode_record(RecordType::message, "ABCDEF", "xx" + forged + forged);
    seal_records(group, 7);
    for (std::size_t at = 0; at < group.size(); ++at) {
        std::string damaged = group;
        damaged[at] ^= 1;
        const std::string segment = encode_segment_header(7) + damaged;
        for (const auto& record : parse_segment(segment, 7))
            EXPECT_NE(record.id, "VICTIM") << at;
    }
}

TEST(JournalFormat, RecordsOfEarlierVersionsAreRead)
{
    std::string group = encode_record(RecordType::removed, "ABCDEF", "");
    RecordHeader header;
    std::memcpy(&header, group.data(), sizeof header);
    header.sequence = 7;
    header.checksum = record_checksum(header, "ABCDEF");
    std::memcpy(group.data(), &header, sizeof header);
    const std::string segment = encode_segment_header(7) + group;
    EXPECT_EQ(parse_segment(segment, 7).size(), 1U);
}

} // namespace
} // namespace facteur::queue
