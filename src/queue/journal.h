// The journal: what makes a 250 true. Format and states: docs/formats/journal.md.
//
// Records are gathered while the previous group is being flushed, then written with one pwrite and one fdatasync on a
// worker thread: a thousand waiting sessions cost a few flushes. Segments are filled with zeros when they are made and
// overwritten ever after, so a flush writes data and no metadata. When a segment is full, or some seconds after the
// last record, a checkpoint syncs the file system that holds the queue files; what was journalled before is then in the
// files themselves and its segments are free again.
//
// A record may be the only form that a message has (docs/adr/0007-messages-without-a-file.md): who still needs it there
// pins it, and its segment is left alone until the pin is gone.
//
// Each writer process owns one slot ("journal/cleanup.0"), locked while it runs.
#pragma once

#include "base/error.h"
#include "base/fd.h"
#include "event/loop.h"
#include "event/pool.h"

#include <cstdint>
#include <deque>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::queue {

inline constexpr std::string_view kJournalDirectory = "journal";

enum class RecordType : std::uint32_t {
    message = 1,        // payload: a whole queue file
    removed = 2,        // the message is gone for good: delivered, bounced or deleted
    recipient_done = 3, // payload: 8 bytes, little-endian: offset of the state byte in the queue file
};

// A record longer than this is not journalled: its file is flushed by itself.
inline constexpr std::size_t kMaxRecord = 1 << 20;

// Where a whole record stands.
struct RecordPlace {
    std::string path;         // of the segment, relative to the queue directory
    std::uint64_t offset = 0; // in bytes
    std::uint64_t size = 0;
};

class Journal final : private event::TurnEnd {
public:
    struct Options {
        std::string name; // "cleanup", "qmgr": the slot is the first free NAME.N
        std::size_t segment_size = 16 << 20;
        event::milliseconds sync_after{200};          // of write_through()
        event::milliseconds checkpoint_after{10'000}; // after the first record since the last checkpoint
        // Asked (on a worker thread) at a checkpoint: records written before this monotonic time (ns) may be forgotten.
        // Default: all. The queue manager must remember removals for as long as a cleanup journal may replay them.
        std::function<std::int64_t()> forget_before;
        // Which of the two promises this journal's user makes; see commit() and write_through().
        enum class Promise { commit, write_through };
        Promise promise = Promise::commit;
    };
    // Takes a slot. With forget_before it may be one that a crashed predecessor left records in: they stay live until
    // that says otherwise. Without, such a slot is left for the queue manager to empty (recovery.h). Paths are relative
    // to the queue directory.
    static std::expected<std::unique_ptr<Journal>, SystemError> open(event::Loop& loop, event::WorkerPool& pool,
                                                                     Options options);
    ~Journal() override;

    // Adds a record to the group being gathered. id: at most 64 bytes; payload: at most kMaxRecord. Pieces are taken
    // over rather than copied.
    void append(RecordType type, std::string_view id, std::string_view payload);
    void append_pieces(RecordType type, std::string_view id, std::vector<std::string> payload);

    // Keeps one record where it is. Outlives the journal harmlessly.
    class Pin;
    // As append(), and the record stays as long as the pin lives. Its place is known once commit() said yes.
    std::shared_ptr<Pin> append_pinned(RecordType type, std::string_view id, std::vector<std::string> payload);

    // Resumes when all that was appended so far is on stable storage, or says why not.
    event::Task<std::expected<void, SystemError>> commit();

    // The weaker promise, for records whose loss costs a repeated delivery and no mail: writes what was appended at
    // once, so that it survives the process, and flushes it within options.sync_after. For journals opened with
    // Promise::write_through, which never commit().
    void write_through();

    // Flushes, checkpoints and leaves the slot clean. For an orderly end.
    event::Task<void> close();

private:
    struct Group;
    struct Segment {
        std::string path;
        UniqueFd fd;
        std::uint64_t sequence = 0;
        std::int64_t begun = 0;      // monotonic ns
        std::int64_t last_write = 0; // monotonic ns
        int pins = 0;
    };
    using SegmentPtr = std::shared_ptr<Segment>;
    struct GroupDone;

    Journal(event::Loop& loop, event::WorkerPool& pool, Options options, std::string slot, UniqueFd lock,
            UniqueFd checkpoint);
    void turn_ended() override;
    void appended();
    std::optional<SystemError> next_segment_now();
    void number(Segment& segment); // a segment that is taken into use
    void note_unsynced();
    void sync_soon();
    event::Task<void> sync_written();
    void start_flush();
    event::Task<void> flush_groups();
    event::Task<std::optional<SystemError>> write_group(Group& group);
    event::Task<std::optional<SystemError>> next_segment();
    void schedule_checkpoint();
    event::Task<void> checkpoint();
    event::Task<std::expected<void, SystemError>> forget();
    event::Task<std::optional<SystemError>> mark(bool clean, std::uint64_t sequence, std::uint64_t offset,
                                                 std::int64_t when);

    event::Loop& loop_;
    event::WorkerPool& pool_;
    Options options_;
    std::string slot_;
    UniqueFd lock_;
    UniqueFd checkpoint_file_;
    std::shared_ptr<Group> gathering_;
    bool flushing_ = false;
    bool checkpointing_ = false;
    bool closing_ = false;
    bool dirty_ = false;       // records since the last checkpoint
    bool marked_clean_ = true; // what the checkpoint file says now
    SegmentPtr active_;
    std::size_t active_used_ = 0;
    std::deque<SegmentPtr> full_;
    std::vector<SegmentPtr> free_;
    std::uint64_t next_sequence_;
    unsigned next_file_ = 0;
    std::unique_ptr<event::Loop::Timer> sync_timer_;
    std::vector<SegmentPtr> unsynced_; // written through, not flushed
    bool through_;                     // Promise::write_through
    std::unique_ptr<event::Loop::Timer> checkpoint_timer_;
    event::Condition changed_;
};

class Journal::Pin {
public:
    Pin() = default;
    ~Pin()
    {
        if (segment_)
            --segment_->pins;
    }
    Pin(const Pin&) = delete;
    Pin& operator=(const Pin&) = delete;
    [[nodiscard]] const RecordPlace& place() const { return place_; }

private:
    friend Journal;
    SegmentPtr segment_; // none: never written
    RecordPlace place_;
};

// --- for recovery, tools and tests ---

struct Record {
    RecordType type{};
    std::string id;
    std::string_view payload; // into the segment's bytes
};

// Every intact record of a segment that belongs to it (an overwritten older one ends the list).
std::vector<Record> parse_segment(std::string_view bytes, std::uint64_t sequence);

// The payload of one record, read where it stands. Nothing when no intact record of this id is there.
std::optional<std::string> read_record(int fd, const RecordPlace& place, std::string_view id);

// The position up to which a slot needs no replay, as its checkpoint file says.
struct CheckpointMark {
    std::uint64_t live_sequence = 0; // records of segments before this one are in the files
    std::uint64_t live_offset = 0;   // and those of this one before this offset
    std::int64_t monotonic_ns = 0;   // no live record is older
    bool clean = false;              // no live record at all
};
std::optional<CheckpointMark> read_checkpoint(const std::string& slot);
std::expected<void, SystemError> write_checkpoint(int fd, const CheckpointMark& mark); // flushed
std::expected<void, SystemError> put_checkpoint(int fd, const CheckpointMark& mark);   // not flushed

struct SegmentFile {
    std::string path;
    std::uint64_t sequence = 0;
};
// The segments of a slot by sequence; files without a valid header are left out.
std::vector<SegmentFile> list_segments(const std::string& slot);
// Slots under journal/ of one writer ("cleanup"), or of all: "journal/cleanup.0", ...
std::vector<std::string> list_slots(std::string_view name = {});
inline constexpr std::size_t kSegmentHeader = 4096;

// The monotonic time (ns) before which no slot of this name has a live record; the maximum when none has any.
std::int64_t oldest_live_record(std::string_view name);

std::int64_t monotonic_ns();

} // namespace facteur::queue
