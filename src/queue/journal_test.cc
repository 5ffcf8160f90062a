#include "queue/journal.h"
#include "queue/journal_format.h"
#include "queue/outcomes.h"
#include "queue/queue_file.h"
#include "queue/record_reader.h"
#include "queue/recovery.h"
#include "queue/sealed_record_for_test.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <limits>

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

event::Task<void> pause(event::Loop& loop)
{
    co_await loop.sleep(event::milliseconds(300));
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
        loop.run_until_done(pause(loop)); // a checkpoint of a full segment may be under way
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

event::Task<void> commit_pinned(Journal& journal, std::string id, std::size_t size,
                                std::vector<std::shared_ptr<Journal::Pin>>& pins)
{
    pins.push_back(journal.append_pinned(RecordType::message, id, {message(std::string(size, 'x'))}));
    const auto done = co_await journal.commit();
    EXPECT_TRUE(done.has_value());
}

event::Task<void> close_journal(Journal& journal)
{
    co_await journal.close();
}

// The record is the message: segment after segment fills up and is checkpointed, and it stays where it is.
TEST_F(JournalTest, PinnedRecordsStay)
{
    event::Loop loop;
    event::WorkerPool pool(loop, 2);
    std::vector<std::shared_ptr<Journal::Pin>> pins;
    std::vector<std::shared_ptr<Journal::Pin>> others;
    auto journal = Journal::open(
        loop, pool,
        {.name = "cleanup", .segment_size = 64 << 10, .checkpoint_after = event::milliseconds(5), .forget_before = {}});
    ASSERT_TRUE(journal.has_value());
    loop.run_until_done(commit_pinned(**journal, "KEEP001", 500, pins));
    for (int i = 0; i < 100; ++i) {
        loop.run_until_done(commit_pinned(**journal, fmt::format("PASS{:03}", i), 5000, others));
        others.clear();
    }
    RecordReader reader;
    EXPECT_EQ(reader.read(pins[0]->place(), "KEEP001"), message(std::string(500, 'x')));
    EXPECT_FALSE(reader.read(pins[0]->place(), "OTHER01").has_value());
    // While somebody needs it the slot is not clean, whatever is synced.
    loop.run_until_done(close_journal(**journal));
    EXPECT_NE(oldest_live_record("cleanup"), std::numeric_limits<std::int64_t>::max());
    pins.clear();
    loop.run_until_done(close_journal(**journal));
    EXPECT_EQ(oldest_live_record("cleanup"), std::numeric_limits<std::int64_t>::max());
}

TEST_F(JournalTest, SegmentsWithoutPinsAreUsedAgain)
{
    event::Loop loop;
    event::WorkerPool pool(loop, 2);
    auto journal = Journal::open(
        loop, pool,
        {.name = "cleanup", .segment_size = 64 << 10, .checkpoint_after = event::milliseconds(5), .forget_before = {}});
    std::vector<std::shared_ptr<Journal::Pin>> pins;
    for (int i = 0; i < 400; ++i) {
        loop.run_until_done(commit_pinned(**journal, fmt::format("PASS{:03}", i), 5000, pins));
        if (pins.size() == 20)
            pins.erase(pins.begin(), pins.begin() + 10);
    }
    EXPECT_LT(list_segments("journal/cleanup.0").size(), 20U);
    pins.clear();
    loop.run_until_done(close_journal(**journal));
}

// What a reader is given is checked to the last byte.
TEST_F(JournalTest, DamagedRecordsAreNotRead)
{
    const std::string record = sealed_record(7, RecordType::message, "ABCDEF", "payload");
    const auto file = open_file("segment", O_RDWR | O_CREAT, 0600);
    for (std::size_t i = 0; i < 32 + 6 + 7; ++i) {
        std::string damaged = record;
        damaged[i] ^= 4;
        ASSERT_EQ(::pwrite(file->get(), damaged.data(), damaged.size(), 100), static_cast<ssize_t>(damaged.size()));
        EXPECT_FALSE(read_record(file->get(), {"", 100, damaged.size()}, "ABCDEF")) << i;
    }
    ASSERT_EQ(::pwrite(file->get(), record.data(), record.size(), 100), static_cast<ssize_t>(record.size()));
    EXPECT_EQ(read_record(file->get(), {"", 100, record.size()}, "ABCDEF"), "payload");
    EXPECT_FALSE(read_record(file->get(), {"", 100, record.size() + 8}, "ABCDEF")) << "beyond the end of the file";
    EXPECT_FALSE(read_record(file->get(), {"", 100, 16}, "ABCDEF"));
    EXPECT_FALSE(read_record(file->get(), {"", 100, std::uint64_t{1} << 60}, "ABCDEF"));
}

TEST_F(JournalTest, OnlySegmentsAreOpenedForReading)
{
    std::filesystem::create_directories("journal/cleanup.0");
    RecordReader reader;
    for (const char* path :
         {"/etc/passwd", "journal/../secret.seg", "journal/cleanup.0/lock", "deferred/ABCDEF", "journalx.seg"})
        EXPECT_EQ(reader.read({path, 0, 100}, "ABCDEF").error().code, EINVAL) << path;
}

// A cleanup died: its slot is left alone by the next one, and emptied by the queue manager.
TEST_F(JournalTest, AbandonedSlotsAreEmptied)
{
    event::Loop loop;
    event::WorkerPool pool(loop, 2);
    std::vector<std::shared_ptr<Journal::Pin>> pins;
    {
        auto dead = Journal::open(loop, pool, {.name = "cleanup", .segment_size = 64 << 10, .forget_before = {}});
        for (const char* id : {"NEW0001", "GONE001", "FILED01", "PART001", "KNOWN01"})
            loop.run_until_done(commit_pinned(**dead, id, 100, pins));
    }
    const std::string bytes = message(std::string(100, 'x'));
    const std::uint64_t second = QueueFileHeader::parse(bytes)->status_offset() + 1;
    auto ends = Journal::open(loop, pool,
                              {.name = "qmgr",
                               .segment_size = 64 << 10,
                               .forget_before = [] { return std::int64_t{0}; },
                               .promise = Journal::Options::Promise::write_through});
    (*ends)->append(RecordType::removed, "GONE001", {});
    (*ends)->append(RecordType::recipient_done, "PART001", {reinterpret_cast<const char*>(&second), 8});
    (*ends)->write_through();
    ASSERT_TRUE(make_queue_file(spool_, kHold, "FILED01", bytes).has_value());
    { // a queue manager that died was making this one
        const auto unfinished = spool_.create(kActive, "NEW0001");
        ASSERT_TRUE(unfinished.has_value());
        ASSERT_TRUE(write_all(unfinished->get(), bytes.substr(0, 50), "x"));
    }

    EXPECT_TRUE(abandoned("cleanup"));
    EXPECT_FALSE(abandoned("qmgr")) << "its writer lives";
    const auto journalled = journalled_messages();
    EXPECT_EQ(journalled.size(), 5U);
    EXPECT_TRUE(journalled.contains("NEW0001") && journalled.contains("GONE001"));
    auto next = Journal::open(loop, pool, {.name = "cleanup", .segment_size = 64 << 10, .forget_before = {}});
    ASSERT_TRUE(next.has_value());
    EXPECT_TRUE(std::filesystem::exists("journal/cleanup.1/lock"));

    auto slots = AbandonedSlot::take_all("cleanup");
    ASSERT_EQ(slots.size(), 1U);
    EXPECT_TRUE(AbandonedSlot::take_all("cleanup").empty()) << "taken";
    const auto orphans = slots[0].orphans(spool_, *read_slots("qmgr"));
    EXPECT_EQ(orphans, (std::vector<std::string>{"KNOWN01", "NEW0001", "PART001"}));
    clear_unfinished(spool_, "NEW0001");
    clear_unfinished(spool_, "FILED01");
    EXPECT_FALSE(std::filesystem::exists("active/NEW0001"));
    Outcomes outcomes;
    outcomes.done["NEW0001"].insert(0);
    ASSERT_TRUE(slots[0].empty(spool_, {"NEW0001", "PART001"}, outcomes).has_value());
    const auto states = [](const std::string& path) {
        const auto file = QueueFile::open(path, O_RDONLY);
        return file ? file->read_states().value_or("?") : "none";
    };
    EXPECT_EQ(states("incoming/NEW0001"), "DR");
    EXPECT_EQ(states("incoming/PART001"), "RD");
    EXPECT_EQ(states("hold/FILED01"), "RR");
    for (const char* id : {"GONE001", "KNOWN01"})
        EXPECT_EQ(states(std::string("incoming/") + id), "none") << id;
    slots.clear();
    EXPECT_FALSE(abandoned("cleanup"));
}

// An agent's queue manager died while it was at work.
TEST_F(JournalTest, OutcomesAreReadAndForgotten)
{
    std::filesystem::create_directory("journal");
    {
        auto log = OutcomeLog::open();
        ASSERT_TRUE(log.has_value()) << log.error().message();
        log->taken("ABCDEF1");
        log->done("ABCDEF2", 7);
        const auto running = read_outcomes();
        ASSERT_TRUE(running.has_value());
        EXPECT_TRUE(running->outcomes.busy.contains("ABCDEF1"));
        EXPECT_TRUE(running->finished.empty());
        log->done("ABCDEF1", 0);
    }
    const auto over = read_outcomes();
    ASSERT_TRUE(over.has_value());
    EXPECT_TRUE(over->outcomes.busy.empty());
    EXPECT_EQ(over->outcomes.done.at("ABCDEF1"), std::set<std::uint32_t>{0});
    EXPECT_EQ(over->outcomes.done.at("ABCDEF2"), std::set<std::uint32_t>{7});
    ASSERT_EQ(over->finished.size(), 1U);
    {
        auto log = OutcomeLog::open();
        log->done("ABCDEF3", 1);
    }
    forget_outcomes(over->finished);
    EXPECT_EQ(read_outcomes()->finished.size(), 1U) << "it grew since it was read";
    forget_outcomes(read_outcomes()->finished);
    EXPECT_TRUE(read_outcomes()->finished.empty());
    EXPECT_TRUE(list_slots().empty()) << "such a log is no slot";
}

TEST(OutcomeFormat, OddLinesAreLeftOut)
{
    struct Case {
        std::string_view text;
        bool running;
        std::size_t done;
        std::size_t busy;
    };
    const Case cases[] = {
        {"ABCDEF -\n", true, 0, 1},        {"ABCDEF -\n", false, 0, 0}, {"ABCDEF 1\nABCDEF 2\n", true, 1, 0},
        {"ABCDEF 1", true, 0, 0},          {"ABCDEF\n", true, 0, 0},    {"../../x 1\n", true, 0, 0},
        {"ABCDEF -1\n", true, 0, 0},       {"ABCDEF 1x\n", true, 0, 0}, {"ABCDEF 99999999999\n", true, 0, 0},
        {"\n\n \nABCDEF 3\n", true, 1, 0},
    };
    for (const Case& c : cases) {
        Outcomes outcomes;
        outcomes.add(c.text, c.running);
        EXPECT_EQ(outcomes.done.size(), c.done) << c.text;
        EXPECT_EQ(outcomes.busy.size(), c.busy) << c.text;
    }
}

TEST(JournalFormat, StopsAtStaleAndDamagedRecords)
{
    std::string segment = encode_segment_header(7);
    std::string first = sealed_record(7, RecordType::message, "ABCDEF", "one");
    const std::string second =
        sealed_record(6, RecordType::removed, "ABCDEF", ""); // from an earlier use of the segment
    EXPECT_EQ(parse_segment_header(segment), 7U);
    EXPECT_EQ(parse_segment(segment + first, 7).size(), 1U);
    EXPECT_EQ(parse_segment(segment + first + second, 7).size(), 1U);
    first[40] ^= 1;
    EXPECT_EQ(parse_segment(segment + first, 7).size(), 0U);
}

TEST(JournalFormat, ADamagedBodyHidesNoOtherRecord)
{
    std::string group = sealed_record(7, RecordType::message, "ABCDEF", std::string(100, 'x'));
    const std::size_t second = group.size();
    group += sealed_record(7, RecordType::removed, "GHIJKL", "");
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
    const std::string forged = sealed_record(7, RecordType::removed, "VICTIM", "");
    const std::string group = sealed_record(7, RecordType::message, "ABCDEF", "xx" + forged + forged);
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
