#include "queue/journal.h"

#include "base/log.h"
#include "base/write_at.h"
#include "queue/journal_format.h"
#include "queue/record_group.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <limits>
#include <random>

namespace facteur::queue {

namespace {

constexpr unsigned kMaxSlots = 64;

// Behind the records of a segment stand bytes of older ones, which are somebody's mail: nobody must be able to guess
// what a record there would have to say to be believed.
std::uint64_t later_sequence(std::uint64_t sequence)
{
    static std::random_device random;
    return sequence + 1 + random();
}
constexpr std::size_t kMaxSegments = 32;
constexpr std::size_t kSmallGroup = 16 << 10;

std::span<iovec> without_front(std::span<iovec> pieces, std::size_t count)
{
    while (!pieces.empty() && count >= pieces.front().iov_len) {
        count -= pieces.front().iov_len;
        pieces = pieces.subspan(1);
    }
    if (count > 0) {
        pieces.front().iov_base = static_cast<char*>(pieces.front().iov_base) + count;
        pieces.front().iov_len -= count;
    }
    return pieces;
}

// With Flush::yes it returns when the bytes are on stable storage.
enum class Flush { no, yes };
std::optional<SystemError> write_pieces(int fd, std::span<iovec> pieces, std::uint64_t offset, Flush flush,
                                        const std::string& path)
{
    int flags = flush == Flush::yes ? RWF_DSYNC : 0;
    while (!pieces.empty()) {
        const ssize_t put =
            ::pwritev2(fd, pieces.data(), static_cast<int>(pieces.size()), static_cast<off_t>(offset), flags);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0 && flags != 0 && (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL)) {
            flags = 0; // an old kernel
            continue;
        }
        if (put <= 0)
            return SystemError::last("write", path);
        offset += static_cast<std::uint64_t>(put);
        pieces = without_front(pieces, static_cast<std::size_t>(put));
    }
    if (flush == Flush::yes && flags == 0 && ::fdatasync(fd) != 0)
        return SystemError::last("fdatasync", path);
    return std::nullopt;
}

// Writes zeros once, so that later flushes never allocate blocks.
std::optional<SystemError> make_segment_file(const std::string& path, std::size_t size, UniqueFd& out)
{
    auto fd = open_file(path, O_RDWR | O_CREAT, 0600);
    if (!fd)
        return fd.error();
    const std::string zeros(1 << 20, '\0');
    for (std::size_t at = 0; at < size; at += zeros.size())
        if (const auto put =
                write_at(fd->get(), std::string_view(zeros).substr(0, std::min(zeros.size(), size - at)), at, path);
            !put)
            return put.error();
    if (::fsync(fd->get()) != 0)
        return SystemError::last("fsync", path);
    const auto directory = open_file(path.substr(0, path.rfind('/')), O_RDONLY | O_DIRECTORY);
    if (!directory || ::fsync(directory->get()) != 0)
        return SystemError::last("fsync directory of", path);
    out = std::move(*fd);
    return std::nullopt;
}

std::optional<SystemError> begin_segment(int fd, std::uint64_t sequence, const std::string& path)
{
    if (const auto put = write_at(fd, encode_segment_header(sequence), 0, path); !put)
        return put.error();
    if (::fdatasync(fd) != 0)
        return SystemError::last("fdatasync", path);
    return std::nullopt;
}

// What a reader would take for damage must never be written.
void check_sizes(std::string_view id, std::size_t payload)
{
    if (id.size() > 64 || payload > kMaxRecord)
        log::panic("journal record of {} bytes", payload);
}

} // namespace

struct Journal::Group {
    RecordGroup records;
    std::vector<std::coroutine_handle<>> waiting;
    std::vector<std::pair<std::size_t, std::shared_ptr<Pin>>> pins; // by number of the record, ascending
    std::optional<SystemError> error;
    bool done = false;
};

std::expected<std::unique_ptr<Journal>, SystemError> Journal::open(event::Loop& loop, event::WorkerPool& pool,
                                                                   Options options)
{
    ::mkdir(std::string(kJournalDirectory).c_str(), 0700);
    for (unsigned number = 0; number < kMaxSlots; ++number) {
        const std::string slot = fmt::format("{}/{}.{}", kJournalDirectory, options.name, number);
        if (::mkdir(slot.c_str(), 0700) != 0 && errno != EEXIST)
            return std::unexpected(SystemError::last("mkdir", slot));
        auto lock = open_file(slot + "/lock", O_RDWR | O_CREAT, 0600);
        if (!lock)
            return std::unexpected(lock.error());
        if (::flock(lock->get(), LOCK_EX | LOCK_NB) != 0)
            continue;
        auto checkpoint = open_file(slot + "/checkpoint", O_RDWR | O_CREAT, 0600);
        if (!checkpoint)
            return std::unexpected(checkpoint.error());
        const auto mark = read_checkpoint(slot);
        const auto segments = list_segments(slot);
        // Removals that another journal's replay still needs outlive the process that wrote them. Messages may have no
        // other form than their record here.
        const bool keep = options.forget_before && mark && !mark->clean;
        if (!keep && !segments.empty() && (!mark || !mark->clean))
            continue;
        if (!keep)
            if (const auto written = write_checkpoint(checkpoint->get(), {0, 0, monotonic_ns(), true}); !written)
                return std::unexpected(written.error());
        std::unique_ptr<Journal> journal(
            new Journal(loop, pool, std::move(options), slot, std::move(*lock), std::move(*checkpoint)));
        for (const auto& found : segments) {
            journal->next_sequence_ = later_sequence(found.sequence);
            auto fd = open_file(found.path, O_RDWR);
            struct stat status{};
            if (!fd || ::fstat(fd->get(), &status) != 0 ||
                static_cast<std::size_t>(status.st_size) != journal->options_.segment_size) {
                ::unlink(found.path.c_str());
                continue;
            }
            auto segment = std::make_shared<Segment>();
            segment->path = found.path;
            segment->fd = std::move(*fd);
            segment->sequence = found.sequence;
            segment->begun = segment->last_write = monotonic_ns();
            if (keep && found.sequence >= mark->live_sequence)
                journal->full_.push_back(std::move(segment));
            else
                journal->free_.push_back(std::move(segment));
        }
        if (keep) {
            journal->marked_clean_ = false;
            journal->dirty_ = true;
            journal->schedule_checkpoint();
        }
        while (::access(fmt::format("{}/{:03}.seg", slot, journal->next_file_).c_str(), F_OK) == 0)
            ++journal->next_file_;
        return journal;
    }
    return std::unexpected(SystemError{"take a slot in", std::string(kJournalDirectory), EBUSY});
}

Journal::Journal(event::Loop& loop, event::WorkerPool& pool, Options options, std::string slot, UniqueFd lock,
                 UniqueFd checkpoint)
    : loop_(loop), pool_(pool), options_(std::move(options)), slot_(std::move(slot)), lock_(std::move(lock)),
      checkpoint_file_(std::move(checkpoint)), gathering_(std::make_shared<Group>()), next_sequence_(later_sequence(0)),
      through_(options_.promise == Options::Promise::write_through), changed_(loop)
{
}

Journal::~Journal() = default;

void Journal::append(RecordType type, std::string_view id, std::string_view payload)
{
    check_sizes(id, payload.size());
    gathering_->records.append(type, id, payload);
    appended();
}

void Journal::append_pieces(RecordType type, std::string_view id, std::vector<std::string> payload)
{
    std::size_t size = 0;
    for (const auto& piece : payload)
        size += piece.size();
    check_sizes(id, size);
    gathering_->records.append_pieces(type, id, std::move(payload));
    appended();
}

void Journal::appended()
{
    if (!through_)
        loop_.at_turn_end(*this);
}

std::shared_ptr<Journal::Pin> Journal::append_pinned(RecordType type, std::string_view id,
                                                     std::vector<std::string> payload)
{
    auto pin = std::make_shared<Pin>();
    append_pieces(type, id, std::move(payload));
    const std::size_t number = gathering_->records.count() - 1;
    pin->place_.size = gathering_->records.size_of(number);
    gathering_->pins.emplace_back(number, pin);
    return pin;
}

void Journal::turn_ended()
{
    if (!through_)
        start_flush();
}

std::optional<SystemError> Journal::next_segment_now()
{
    if (active_) {
        note_unsynced();
        full_.push_back(std::move(active_));
    }
    auto segment = std::make_shared<Segment>();
    if (!free_.empty()) {
        segment = std::move(free_.back());
        free_.pop_back();
    } else {
        segment->path = fmt::format("{}/{:03}.seg", slot_, next_file_++);
        if (auto failed = make_segment_file(segment->path, options_.segment_size, segment->fd))
            return failed;
    }
    number(*segment);
    if (const auto put = write_at(segment->fd.get(), encode_segment_header(segment->sequence), 0, segment->path); !put)
        return put.error();
    active_ = std::move(segment);
    active_used_ = kSegmentHeader;
    return std::nullopt;
}

void Journal::write_through()
{
    if (gathering_->records.count() == 0)
        return;
    RecordGroup records = std::exchange(gathering_->records, {});
    if (marked_clean_ && !checkpointing_) {
        const CheckpointMark mark{active_ ? active_->sequence : next_sequence_, active_ ? active_used_ : kSegmentHeader,
                                  monotonic_ns(), false};
        if (const auto put = put_checkpoint(checkpoint_file_.get(), mark); !put)
            log::error("journal: {}", put.error().message());
        marked_clean_ = false;
    }
    std::size_t from = 0;
    while (from < records.count()) {
        const RecordGroup::Part part = records.fit(from, active_ ? options_.segment_size - active_used_ : 0);
        std::optional<SystemError> failed;
        if (part.end == from) {
            failed = next_segment_now();
        } else {
            auto pieces = records.seal(from, part.end, active_->sequence);
            failed = write_pieces(active_->fd.get(), pieces, active_used_, Flush::no, active_->path);
            active_used_ += part.size;
            active_->last_write = monotonic_ns();
            from = part.end;
        }
        if (failed) {
            // The cost is a repeated delivery after a power failure within the next seconds.
            log::error("journal: {}", failed->message());
            return;
        }
    }
    dirty_ = true;
    schedule_checkpoint();
    note_unsynced();
    sync_soon();
}

void Journal::note_unsynced()
{
    if (unsynced_.empty() || unsynced_.back() != active_)
        unsynced_.push_back(active_);
}

void Journal::number(Segment& segment)
{
    segment.sequence = std::exchange(next_sequence_, later_sequence(next_sequence_));
    segment.begun = monotonic_ns();
}

void Journal::sync_soon()
{
    if (!sync_timer_ && !closing_)
        sync_timer_ = loop_.call_at(event::Clock::now() + options_.sync_after, [this] {
            sync_timer_.reset();
            if (!flushing_)
                event::spawn(sync_written());
        });
}

event::Task<void> Journal::sync_written()
{
    flushing_ = true;
    const std::vector<SegmentPtr> written = std::exchange(unsynced_, {});
    const int mark = checkpoint_file_.get();
    const int code = co_await pool_.run([&written, mark] {
        for (const auto& segment : written)
            if (::fdatasync(segment->fd.get()) != 0)
                return errno;
        return ::fdatasync(mark) == 0 ? 0 : errno;
    });
    if (code != 0)
        log::error("journal: fdatasync: {}", errno_text(code));
    flushing_ = false;
    if (!unsynced_.empty()) // the timer may have found us busy
        sync_soon();
    changed_.notify_all();
}

void Journal::start_flush()
{
    if (!flushing_ && gathering_->records.count() > 0) {
        flushing_ = true;
        event::spawn(flush_groups());
    }
}

// Waits for one group; resumed by flush_groups.
struct Journal::GroupDone {
    std::shared_ptr<Group> group;
    bool await_ready() const { return group->done; }
    void await_suspend(std::coroutine_handle<> handle) { group->waiting.push_back(handle); }
    void await_resume() const {}
};

event::Task<std::expected<void, SystemError>> Journal::commit()
{
    GroupDone done{gathering_};
    if (done.group->records.count() == 0 && !flushing_)
        co_return std::expected<void, SystemError>{};
    co_await done;
    if (done.group->error)
        co_return std::unexpected(*done.group->error);
    co_return std::expected<void, SystemError>{};
}

event::Task<void> Journal::flush_groups()
{
    while (gathering_->records.count() > 0) {
        const std::shared_ptr<Group> group = std::exchange(gathering_, std::make_shared<Group>());
        group->error = co_await write_group(*group);
        group->done = true;
        group->records = {};
        group->pins.clear();
        if (!group->error) {
            dirty_ = true;
            schedule_checkpoint();
        }
        for (const auto waiter : std::exchange(group->waiting, {}))
            waiter.resume();
    }
    flushing_ = false;
    changed_.notify_all();
}

event::Task<std::optional<SystemError>> Journal::write_group(Group& group)
{
    RecordGroup& records = group.records;
    auto pin = group.pins.begin();
    if (marked_clean_) {
        while (checkpointing_)
            co_await changed_.wait();
        auto failed = co_await mark(false, active_ ? active_->sequence : next_sequence_,
                                    active_ ? active_used_ : kSegmentHeader, monotonic_ns());
        if (failed)
            co_return failed;
    }
    // A group may be larger than what is left, even than a whole segment: cut it at record boundaries.
    std::size_t from = 0;
    while (from < records.count()) {
        const RecordGroup::Part part = records.fit(from, active_ ? options_.segment_size - active_used_ : 0);
        if (part.end == from) {
            auto failed = co_await next_segment();
            if (failed)
                co_return failed;
            continue;
        }
        auto pieces = records.seal(from, part.end, active_->sequence);
        const int fd = active_->fd.get();
        const std::size_t offset = active_used_;
        const std::string& path = active_->path;
        for (std::size_t at = offset; from < part.end; at += records.size_of(from++)) {
            if (pin == group.pins.end() || pin->first != from)
                continue;
            Pin& kept = *pin++->second;
            kept.place_.path = path;
            kept.place_.offset = at;
            kept.segment_ = active_;
            ++active_->pins;
        }
        // Who waits alone is not helped by a thread: waking it would cost more than doing nothing else meanwhile.
        constexpr std::size_t kFew = 2;
        std::optional<SystemError> failed;
        const auto write = [&pieces, fd, offset, &path] { return write_pieces(fd, pieces, offset, Flush::yes, path); };
        if (group.waiting.size() <= kFew && part.size <= kSmallGroup)
            failed = write();
        else
            failed = co_await pool_.run(write);
        active_used_ += part.size;
        active_->last_write = monotonic_ns();
        if (failed) {
            log::error("journal: {}", failed->message());
            // What the segment holds after a failed flush is unknown: leave it and go on in another one.
            full_.push_back(std::move(active_));
            co_return failed;
        }
    }
    co_return std::nullopt;
}

event::Task<std::optional<SystemError>> Journal::next_segment()
{
    if (active_) {
        full_.push_back(std::move(active_));
        if (!checkpointing_)
            event::spawn(checkpoint());
    }
    while (free_.empty() && full_.size() >= kMaxSegments) {
        log::warning("journal: waiting for the file system to sync");
        co_await changed_.wait(event::milliseconds(1000));
        if (!checkpointing_)
            event::spawn(checkpoint());
    }
    auto segment = std::make_shared<Segment>();
    const std::size_t size = options_.segment_size;
    if (!free_.empty()) {
        segment = std::move(free_.back());
        free_.pop_back();
    } else {
        segment->path = fmt::format("{}/{:03}.seg", slot_, next_file_++);
        Segment& made = *segment;
        auto failed = co_await pool_.run([&made, size] { return make_segment_file(made.path, size, made.fd); });
        if (failed) {
            ::unlink(segment->path.c_str());
            co_return failed;
        }
    }
    number(*segment);
    Segment& begun = *segment;
    auto failed = co_await pool_.run([&begun] { return begin_segment(begun.fd.get(), begun.sequence, begun.path); });
    if (failed)
        co_return failed;
    active_ = std::move(segment);
    active_used_ = kSegmentHeader;
    co_return std::nullopt;
}

void Journal::schedule_checkpoint()
{
    if (checkpoint_timer_ || checkpointing_ || closing_)
        return;
    // A full segment that could not be freed yet soon can: better than to make another one.
    constexpr event::milliseconds kSoon{500};
    const auto delay = full_.empty() ? options_.checkpoint_after : std::min(kSoon, options_.checkpoint_after);
    checkpoint_timer_ = loop_.call_at(event::Clock::now() + delay, [this] {
        checkpoint_timer_.reset();
        if (!checkpointing_)
            event::spawn(checkpoint());
    });
}

event::Task<std::optional<SystemError>> Journal::mark(bool clean, std::uint64_t sequence, std::uint64_t offset,
                                                      std::int64_t when)
{
    const int fd = checkpoint_file_.get();
    const CheckpointMark text{sequence, offset, when, clean};
    marked_clean_ = clean;
    const auto written = co_await pool_.run([fd, text] { return write_checkpoint(fd, text); });
    if (!written)
        co_return written.error();
    co_return std::nullopt;
}

// One round: sync, then move the mark behind everything that was flushed before the sync and may be forgotten.
event::Task<std::expected<void, SystemError>> Journal::forget()
{
    const std::int64_t begun = monotonic_ns();
    const std::uint64_t sequence = active_ ? active_->sequence : next_sequence_;
    const std::size_t used = active_ ? active_used_ : kSegmentHeader;
    const std::int64_t active_written = active_ ? active_->last_write : 0;
    const std::int64_t active_begun = active_ ? active_->begun : begun;
    const bool active_pinned = active_ && active_->pins > 0;
    // What is pinned now has no file that the sync could reach.
    std::size_t full = 0;
    while (full < full_.size() && full_[full]->pins == 0)
        ++full;
    const bool pinned = full < full_.size();
    std::int64_t limit = std::numeric_limits<std::int64_t>::max();
    if (options_.forget_before)
        limit = co_await pool_.run(options_.forget_before);
    const int fd = checkpoint_file_.get();
    const int synced = co_await pool_.run([fd] { return ::syncfs(fd) == 0 ? 0 : errno; });
    if (synced != 0)
        co_return std::unexpected(SystemError{"syncfs", "queue", synced});
    std::size_t covered = 0;
    while (covered < full && full_[covered]->last_write < limit)
        ++covered;
    std::uint64_t live = sequence;
    std::uint64_t offset = used;
    std::int64_t oldest = begun;
    const bool kept = covered < full || pinned;
    const bool active_kept = active_pinned || active_written >= limit;
    if (kept) {
        live = full_[covered]->sequence;
        offset = kSegmentHeader;
        oldest = full_[covered]->begun;
    } else if (active_kept) {
        offset = kSegmentHeader;
        oldest = active_begun;
    }
    const auto failed = co_await mark(false, live, offset, oldest);
    if (failed)
        co_return std::unexpected(*failed);
    for (std::size_t i = 0; i < covered; ++i) {
        free_.push_back(std::move(full_.front()));
        full_.pop_front();
    }
    if (kept || active_kept)
        dirty_ = true;
    co_return std::expected<void, SystemError>{};
}

event::Task<void> Journal::checkpoint()
{
    checkpointing_ = true;
    checkpoint_timer_.reset();
    dirty_ = (flushing_ && !through_) || gathering_->records.count() > 0;
    const auto done = co_await forget();
    if (!done) {
        dirty_ = true;
        log::error("journal checkpoint: {}", done.error().message());
    }
    if (!dirty_ && !flushing_ && full_.empty()) {
        const auto failed = co_await mark(true, 0, 0, monotonic_ns());
        if (failed)
            log::error("journal checkpoint: {}", failed->message());
        // Records were written meanwhile: the clean mark must not hide them.
        if (dirty_) {
            const auto again =
                co_await mark(false, active_ ? active_->sequence : next_sequence_, kSegmentHeader, monotonic_ns());
            if (again)
                log::error("journal checkpoint: {}", again->message());
        }
    }
    checkpointing_ = false;
    if (dirty_)
        schedule_checkpoint();
    changed_.notify_all();
}

event::Task<void> Journal::close()
{
    if (through_)
        write_through();
    else
        start_flush();
    // Nothing may begin by itself after the last checkpoint: who closes us goes on to destroy us.
    closing_ = true;
    checkpoint_timer_.reset();
    sync_timer_.reset();
    while (flushing_ || checkpointing_)
        co_await changed_.wait();
    co_await checkpoint();
}

} // namespace facteur::queue
