// A power failure at every byte: what was flushed of the journals and what became of the files is varied, and after
// recovery each accepted message must be there once and whole, each removed one gone, nothing invented.
#include "queue/journal.h"
#include "queue/journal_format.h"
#include "queue/queue_file.h"
#include "queue/recovery.h"
#include "queue/sealed_record_for_test.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace facteur::queue {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kSegmentSize = 8192;
const std::vector<std::string> kIds{"5A04B00001", "5A04B00002", "5A04B00003"};

std::string bytes_of(const std::string& id)
{
    Envelope envelope;
    envelope.set_sender("a@b.example");
    envelope.set_message_id("<" + id + "@b.example>");
    envelope.add_recipients()->set_address("c@d.example");
    envelope.add_recipients()->set_address("e@f.example");
    return encode_queue_file("Subject: " + id + "\r\n\r\nhello\r\n", envelope, 0);
}

std::uint64_t state_offset(const std::string& id, std::uint64_t recipient)
{
    return QueueFileHeader::parse(bytes_of(id))->status_offset() + recipient;
}

// One slot's only segment: records in order and the places where each begins and ends.
struct Segment {
    std::string bytes = encode_segment_header(3);
    std::vector<std::size_t> ends;
    void add(RecordType type, const std::string& id, std::string_view payload = {})
    {
        bytes += sealed_record(3, type, id, payload);
        ends.push_back(kSegmentHeader + (bytes.size() - kSegmentHeader));
    }
    // How many records the disk has whole when `cut` bytes were flushed over `rest`: what was cut off may happen to be
    // there already.
    [[nodiscard]] std::size_t whole(std::size_t cut, char rest = '\0') const
    {
        std::string left = bytes.substr(0, cut);
        left.resize(kSegmentSize, rest);
        return parse_segment_header(left) ? parse_segment(left, 3).size() : 0;
    }
};

class PowerFailure : public testing::Test {
protected:
    void SetUp() override
    {
        // In memory, as the cuts are many and each recovery flushes.
        std::string name = fs::exists("/dev/shm") ? "/dev/shm/facteur-power-XXXXXX" : "/tmp/facteur-power-XXXXXX";
        root_ = ::mkdtemp(name.data());
        for (const auto& id : kIds)
            arrivals_.add(RecordType::message, id, bytes_of(id));
        const std::uint64_t done = state_offset(kIds[1], 0);
        ends_.add(RecordType::recipient_done, kIds[1], {reinterpret_cast<const char*>(&done), 8});
        ends_.add(RecordType::removed, kIds[0]);
        ends_.add(RecordType::removed, kIds[1]);
    }
    void TearDown() override
    {
        ASSERT_EQ(::chdir("/"), 0);
        fs::remove_all(root_);
    }

    void fresh()
    {
        ASSERT_EQ(::chdir("/"), 0);
        fs::remove_all(root_);
        fs::create_directories(root_);
        ASSERT_EQ(::chdir(root_.c_str()), 0);
        for (const auto queue : kMessageQueues)
            fs::create_directory(queue);
    }

    static void put(const std::string& path, std::string_view bytes, mode_t mode)
    {
        fs::create_directories(fs::path(path).parent_path());
        std::ofstream(path, std::ios::binary) << bytes;
        ASSERT_EQ(::chmod(path.c_str(), mode), 0);
    }

    // What the disk has of a slot: `flushed` bytes of its segment, then `rest` as a preallocated segment has it.
    static void put_slot(const std::string& name, const Segment& segment, std::size_t flushed, char rest = '\0')
    {
        std::string bytes = segment.bytes.substr(0, flushed);
        bytes.resize(kSegmentSize, rest);
        put("journal/" + name + ".0/000.seg", bytes, 0600);
        const auto file = open_file("journal/" + name + ".0/checkpoint", O_RDWR | O_CREAT, 0600);
        ASSERT_TRUE(file && write_checkpoint(file->get(), {3, 0, 1, false}));
    }

    // Every file of the queue, by id.
    std::map<std::string, std::vector<std::string>> files()
    {
        std::map<std::string, std::vector<std::string>> found;
        for (const auto queue : kMessageQueues)
            EXPECT_TRUE(spool_.scan(queue, [&](const std::string& id, const std::string& path) {
                found[id].push_back(path);
                return true;
            }));
        return found;
    }

    static std::string content(const std::string& path)
    {
        const auto file = QueueFile::open(path, O_RDONLY);
        return file ? file->read_content(0, file->header().content_size).value_or("unreadable") : "no queue file";
    }

    // Recovers, twice, and compares with what the flushed parts promise.
    void check(std::size_t arrived, std::size_t ended, const std::string& what)
    {
        ASSERT_TRUE(recover(spool_)) << what;
        const auto found = files();
        for (std::size_t i = 0; i < kIds.size(); ++i) {
            const bool removed = i == 0 ? ended >= 2 : i == 1 && ended >= 3;
            const auto file = found.find(kIds[i]);
            if (removed)
                EXPECT_EQ(file, found.end()) << what << ": " << kIds[i] << " came back";
            else if (i < arrived)
                ASSERT_TRUE(file != found.end() && file->second.size() == 1) << what << ": " << kIds[i];
            if (file == found.end())
                continue;
            EXPECT_EQ(content(file->second[0]), "Subject: " + kIds[i] + "\r\n\r\nhello\r\n") << what;
            const auto opened = QueueFile::open(file->second[0], O_RDONLY);
            EXPECT_EQ(opened->read_states().value(), i == 1 && ended >= 1 ? "DR" : "RR") << what;
        }
        EXPECT_LE(found.size(), kIds.size()) << what;
        const auto again = recover(spool_);
        ASSERT_TRUE(again.has_value()) << what;
        EXPECT_EQ(again->replayed + again->repaired + again->removed + again->unfinished, 0U) << what;
        EXPECT_EQ(files(), found) << what;
    }

    std::string root_;
    Spool spool_{"deferred, defer", 1};
    Segment arrivals_;
    Segment ends_;
};

TEST_F(PowerFailure, AtEveryByteOfAnArrivalWithoutFiles)
{
    for (const char rest : {'\0', '\xff'})
        for (std::size_t cut = 0; cut <= arrivals_.bytes.size(); ++cut) {
            if (cut > 64 && cut + 8 < kSegmentHeader) // the header's reserve
                continue;
            fresh();
            put_slot("cleanup", arrivals_, cut, rest);
            check(arrivals_.whole(cut, rest), 0, fmt::format("cut at {}", cut));
        }
}

TEST_F(PowerFailure, AtEveryByteOfAnEnd)
{
    for (std::size_t cut = kSegmentHeader; cut <= ends_.bytes.size(); ++cut) {
        fresh();
        put_slot("cleanup", arrivals_, arrivals_.bytes.size());
        put_slot("qmgr", ends_, cut);
        // The disk still has the files of all three, one of them not moved yet.
        put(spool_.path(kActive, kIds[0]), bytes_of(kIds[0]), 0700);
        put(spool_.path(kDeferred, kIds[1]), bytes_of(kIds[1]), 0700);
        put(spool_.path(kIncoming, kIds[2]), bytes_of(kIds[2]), 0700);
        check(3, ends_.whole(cut), fmt::format("cut at {}", cut));
    }
}

// What unflushed data leaves of a file: any part of it, in any mode, in any queue.
TEST_F(PowerFailure, WithEveryStateOfTheFile)
{
    const std::string whole = bytes_of(kIds[2]);
    std::vector<std::string> remains{"", whole, std::string(whole.size(), '\0')};
    for (std::size_t size = 1; size < whole.size(); size += 7)
        remains.push_back(whole.substr(0, size));
    std::string flipped = whole;
    flipped[20] ^= 1; // in the header's checksummed part
    remains.push_back(flipped);
    remains.push_back(whole + "more");
    for (const auto queue : kMessageQueues)
        for (const mode_t mode : {0600, 0700})
            for (const auto& bytes : remains) {
                fresh();
                put_slot("cleanup", arrivals_, arrivals_.bytes.size());
                put(spool_.path(queue, kIds[2]), bytes, mode);
                check(3, 0, fmt::format("{} bytes of mode {:o} in {}", bytes.size(), mode, queue));
            }
}

// A file that nobody promised anything for.
TEST_F(PowerFailure, UnfinishedFilesOfUnknownMessagesGo)
{
    fresh();
    put_slot("cleanup", arrivals_, arrivals_.ends[0]);
    put("incoming/5A04B0000F", bytes_of("5A04B0000F").substr(0, 100), 0600);
    put("incoming/5A04B0000E", bytes_of("5A04B0000E"), 0700); // complete: a message without a journal record is kept
    const auto report = recover(spool_);
    ASSERT_TRUE(report.has_value());
    EXPECT_EQ(report->unfinished, 1U);
    EXPECT_EQ(report->replayed, 1U);
    EXPECT_FALSE(fs::exists("incoming/5A04B0000F"));
    EXPECT_TRUE(fs::exists("incoming/5A04B0000E"));
}

// A log for a notice is of no use without its message.
TEST_F(PowerFailure, LogsOfGoneMessagesGo)
{
    fresh();
    put(spool_.path(kDeferred, kIds[0]), bytes_of(kIds[0]), 0700);
    put(spool_.path(kCorrupt, kIds[1]), "x", 0700);
    for (const auto logs : {kBounce, kDefer, kTrace})
        for (const auto& id : kIds)
            put(spool_.path(logs, id), "log", 0600);
    const auto report = recover(spool_);
    ASSERT_TRUE(report.has_value());
    EXPECT_EQ(report->orphaned, 3U);
    for (const auto logs : {kBounce, kDefer, kTrace}) {
        EXPECT_TRUE(fs::exists(spool_.path(logs, kIds[0])));
        EXPECT_TRUE(fs::exists(spool_.path(logs, kIds[1])));
        EXPECT_FALSE(fs::exists(spool_.path(logs, kIds[2])));
    }
}

// postsuper recovers too when nothing runs: who comes second must know that it is worth waiting.
TEST_F(PowerFailure, TwoRecoveriesDoNotMeet)
{
    fresh();
    put_slot("cleanup", arrivals_, arrivals_.bytes.size());
    auto lock = open_file("journal/cleanup.0/lock", O_RDWR | O_CREAT, 0600);
    ASSERT_TRUE(lock && ::flock(lock->get(), LOCK_EX) == 0);
    EXPECT_EQ(recover(spool_).error().code, EBUSY);
    lock->reset();
    EXPECT_TRUE(recover(spool_).has_value());
}

// One damaged byte of the journal costs the record that it damages, and those behind it only when it hides their
// places; it invents nothing.
TEST_F(PowerFailure, ADamagedByteCostsOneRecord)
{
    for (std::size_t at = 0; at < arrivals_.bytes.size(); ++at) {
        if (at > 64 && at < kSegmentHeader)
            continue;
        fresh();
        Segment damaged = arrivals_;
        damaged.bytes[at] = static_cast<char>(damaged.bytes[at] ^ 0x40);
        put_slot("cleanup", damaged, damaged.bytes.size());
        ASSERT_TRUE(recover(spool_)) << at;
        const auto found = files();
        std::size_t hit = 0;
        while (hit < arrivals_.ends.size() && arrivals_.ends[hit] <= at)
            ++hit;
        const std::size_t begin = hit == 0 ? kSegmentHeader : arrivals_.ends[hit - 1];
        for (std::size_t i = 0; i < kIds.size(); ++i) {
            const bool hidden = at < kSegmentHeader || (i > hit && at - begin < sizeof(RecordHeader));
            if (i != hit && !hidden)
                ASSERT_TRUE(found.contains(kIds[i])) << "byte " << at << ": " << kIds[i];
            if (const auto file = found.find(kIds[i]); file != found.end())
                EXPECT_EQ(content(file->second[0]), "Subject: " + kIds[i] + "\r\n\r\nhello\r\n") << at;
        }
        EXPECT_LE(found.size(), kIds.size()) << at;
    }
}

// Without its mark a slot is replayed from the start: too much rather than too little.
TEST_F(PowerFailure, ADamagedMarkLosesNothing)
{
    for (std::size_t at = 0; at < 48; ++at) {
        fresh();
        put_slot("cleanup", arrivals_, arrivals_.bytes.size());
        std::fstream mark("journal/cleanup.0/checkpoint", std::ios::in | std::ios::out | std::ios::binary);
        char byte = 0;
        mark.seekg(static_cast<std::streamoff>(at)).get(byte);
        mark.seekp(static_cast<std::streamoff>(at)).put(static_cast<char>(byte ^ 1));
        mark.close();
        check(3, 0, fmt::format("mark byte {}", at));
    }
    for (const bool present : {true, false}) {
        fresh();
        put_slot("cleanup", arrivals_, arrivals_.bytes.size());
        present ? fs::resize_file("journal/cleanup.0/checkpoint", 0) : (void)fs::remove("journal/cleanup.0/checkpoint");
        check(3, 0, present ? "empty mark" : "no mark");
    }
}

// A record is in an older segment of the slot, a later one tears: the older one counts all the same.
TEST_F(PowerFailure, SegmentsCountTogether)
{
    fresh();
    put_slot("cleanup", arrivals_, arrivals_.ends[0]);
    Segment later;
    later.bytes = encode_segment_header(4);
    const std::string record = sealed_record(4, RecordType::message, kIds[1], bytes_of(kIds[1]));
    later.bytes += record + record.substr(0, record.size() / 2);
    later.bytes.resize(kSegmentSize);
    put("journal/cleanup.0/001.seg", later.bytes, 0600);
    put("journal/cleanup.0/002.seg", std::string(kSegmentSize, '\0'), 0600); // made, never used
    put("journal/cleanup.0/003.seg", "", 0600);                              // made, not even sized
    check(2, 0, "two segments");
}

// The file is whole in two queues: a copy by hand, or a file system that lost one half of a rename.
TEST_F(PowerFailure, AMessageInTwoQueuesIsKept)
{
    fresh();
    put_slot("cleanup", arrivals_, arrivals_.bytes.size());
    put(spool_.path(kActive, kIds[2]), bytes_of(kIds[2]), 0700);
    put(spool_.path(kDeferred, kIds[2]), bytes_of(kIds[2]), 0700);
    ASSERT_TRUE(recover(spool_));
    EXPECT_EQ(content(spool_.path(*spool_.find(kIds[2]), kIds[2])), "Subject: " + kIds[2] + "\r\n\r\nhello\r\n");
    // And a removal takes both.
    put_slot("cleanup", arrivals_, arrivals_.bytes.size());
    Segment gone;
    gone.add(RecordType::removed, kIds[2]);
    put_slot("qmgr", gone, gone.bytes.size());
    ASSERT_TRUE(recover(spool_));
    EXPECT_FALSE(spool_.find(kIds[2]));
}

// The file system lost one half of a rename: one file stays, and knows which recipients have it.
TEST_F(PowerFailure, AMessageInTwoQueuesIsDeliveredOnce)
{
    for (const auto first : kMessageQueues)
        for (const auto second : kMessageQueues) {
            if (first == second)
                continue;
            fresh();
            std::string partly = bytes_of(kIds[2]);
            put(spool_.path(first, kIds[2]), partly, 0700);
            partly.back() = 'D';
            put(spool_.path(second, kIds[2]), partly, 0700);
            const auto report = recover(spool_);
            ASSERT_TRUE(report.has_value());
            EXPECT_EQ(report->repaired, 1U);
            const auto found = files();
            ASSERT_EQ(found.at(kIds[2]).size(), 1U) << first << " and " << second;
            EXPECT_EQ(QueueFile::open(found.at(kIds[2])[0], O_RDONLY)->read_states().value(), "RD");
            if (first == kHold || second == kHold)
                EXPECT_EQ(found.at(kIds[2])[0], spool_.path(kHold, kIds[2]));
        }
}

// Two messages that share an id by chance are two messages.
TEST_F(PowerFailure, DifferentMessagesOfOneIdAreKept)
{
    fresh();
    put(spool_.path(kDeferred, kIds[2]), bytes_of(kIds[2]), 0700);
    put(spool_.path(kHold, kIds[2]), bytes_of(kIds[1]), 0700);
    ASSERT_TRUE(recover(spool_));
    EXPECT_EQ(files().at(kIds[2]).size(), 2U);
}

// Its size came to the disk and its data did not: the header's checksum says nothing about the rest.
TEST_F(PowerFailure, AFileThatLostItsContentIsWrittenAgain)
{
    const std::string whole = bytes_of(kIds[2]);
    const auto header = QueueFileHeader::parse(whole);
    for (std::uint64_t from = kContentOffset; from < header->status_offset(); ++from) {
        std::string hollow = whole;
        std::fill(hollow.begin() + static_cast<std::ptrdiff_t>(from), hollow.end(), '\0');
        fresh();
        put_slot("cleanup", arrivals_, arrivals_.bytes.size());
        put(spool_.path(kDeferred, kIds[2]), hollow, 0700);
        check(3, 0, fmt::format("zeros from {}", from));
    }
    // What changes in a life is no damage: states, and the flags in the header.
    fresh();
    put_slot("cleanup", arrivals_, arrivals_.bytes.size());
    std::string lived = whole;
    lived.back() = 'D';
    put(spool_.path(kDeferred, kIds[2]), lived, 0700);
    const auto file = open_file(spool_.path(kDeferred, kIds[2]), O_RDWR);
    ASSERT_TRUE(file && add_header_flags(file->get(), content_flag::delay_warned));
    EXPECT_EQ(recover(spool_)->repaired, 0U);
    EXPECT_EQ(QueueFile::open(spool_.path(kDeferred, kIds[2]), O_RDONLY)->read_states().value(), "RD");
}

// A damaged copy beside a whole one: the whole one is the message.
TEST_F(PowerFailure, ADamagedCopyDoesNotCostTheWholeOne)
{
    for (const auto damaged : kMessageQueues)
        for (const auto whole : kMessageQueues) {
            if (damaged == whole)
                continue;
            fresh();
            put_slot("cleanup", arrivals_, arrivals_.bytes.size());
            put(spool_.path(damaged, kIds[2]), "x", 0700);
            std::string partly = bytes_of(kIds[2]);
            partly.back() = 'D'; // its second recipient has it: no record says so any more
            put(spool_.path(whole, kIds[2]), partly, 0700);
            ASSERT_TRUE(recover(spool_));
            const auto found = files();
            ASSERT_EQ(found.at(kIds[2]).size(), 1U) << damaged << " and " << whole;
            EXPECT_EQ(QueueFile::open(found.at(kIds[2])[0], O_RDONLY)->read_states().value(), "RD");
        }
}

} // namespace
} // namespace facteur::queue
