#include "queue/recovery.h"

#include "base/log.h"
#include "base/read_exactly.h"
#include "queue/journal.h"
#include "queue/queue_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <unordered_set>

namespace facteur::queue {

namespace {

using std::unexpected;

constexpr std::size_t kMostOfSegment = std::size_t{1} << 30;

std::expected<void, SystemError> read_slot(const std::string& slot, Replay& replay)
{
    const auto mark = read_checkpoint(slot);
    if (mark && mark->clean)
        return {};
    for (const auto& segment : list_segments(slot)) {
        if (mark && segment.sequence < mark->live_sequence)
            continue;
        const auto bytes = read_file(segment.path, kMostOfSegment);
        if (!bytes)
            return unexpected(bytes.error());
        for (const auto& record : parse_segment(*bytes, segment.sequence)) {
            const auto offset = static_cast<std::uint64_t>(record.payload.data() - bytes->data());
            if (mark && segment.sequence == mark->live_sequence && offset < mark->live_offset)
                continue;
            if (!valid_queue_id(record.id))
                continue;
            switch (record.type) {
            case RecordType::message:
                replay.messages[record.id] = {segment.path, offset, record.payload.size()};
                break;
            case RecordType::removed:
                replay.removed.insert(record.id);
                break;
            case RecordType::recipient_done:
                if (record.payload.size() == 8) {
                    std::uint64_t where = 0;
                    std::memcpy(&where, record.payload.data(), 8);
                    replay.done[record.id].push_back(where);
                }
                break;
            }
        }
    }
    return {};
}

// The bytes of a message as the journal has them.
std::expected<std::string, SystemError> read_back(const Replay::Place& where)
{
    const auto segment = open_file(where.segment, O_RDONLY);
    if (!segment)
        return unexpected(segment.error());
    return read_exactly(segment->get(), where.offset, where.size, where.segment);
}

std::expected<void, SystemError> write_again(const Spool& spool, const std::string& id, std::string_view bytes)
{
    ::unlink(spool.path(kIncoming, id).c_str());
    if (auto made = make_queue_file(spool, kIncoming, id, bytes); !made)
        return unexpected(made.error());
    return {};
}

// The part of a queue file that never changes: content and envelope. Nothing when the file cannot be read.
std::optional<std::string> lasting_part(const QueueFile& file)
{
    auto bytes = read_exactly(file.fd(), kContentOffset, file.header().status_offset() - kContentOffset, "queue file");
    return bytes ? std::optional(std::move(*bytes)) : std::nullopt;
}

// A header says what a file should hold; after a power failure some file systems have the size and not the data.
bool holds(const QueueFile& file, std::string_view journalled)
{
    const auto header = QueueFileHeader::parse(journalled);
    const auto part = lasting_part(file);
    return !header || (header->file_size() == file.header().file_size() && part &&
                       *part == journalled.substr(kContentOffset, header->status_offset() - kContentOffset));
}

// One message that the journal accepted and nothing marked as gone.
std::expected<void, SystemError> restore(const Spool& spool, const std::string& id, const Replay::Place& where,
                                         RecoveryReport& report)
{
    const auto bytes = read_back(where);
    if (!bytes)
        return unexpected(bytes.error());
    bool whole = false;
    bool damaged = false;
    for (const auto queue : kMessageQueues) {
        const std::string path = spool.path(queue, id);
        const auto file = QueueFile::open(path, O_RDONLY);
        if (file && holds(*file, *bytes)) {
            whole = true;
            continue;
        }
        if (!file && file.error().code == ENOENT)
            continue;
        // Short, damaged or still in the mode of an unfinished one; any other error says nothing about the file.
        if (!file && file.error().code != EINVAL && file.error().code != EBUSY)
            return unexpected(file.error());
        damaged = true;
        ::unlink(path.c_str());
    }
    if (whole)
        return {};
    (damaged ? report.repaired : report.replayed) += 1;
    return write_again(spool, id, *bytes);
}

// Of two files of one message the one to go; what either knows of finished recipients is in the other one then. Nothing
// when they are different messages.
bool merge_copy(const std::string& kept_path, const std::string& path)
{
    const auto kept = QueueFile::open(kept_path, O_RDWR);
    const auto copy = QueueFile::open(path, O_RDONLY);
    if (!kept || !copy)
        return false;
    const auto part = lasting_part(*kept);
    if (!part || part != lasting_part(*copy))
        return false;
    const auto states = copy->read_states();
    const auto known = kept->read_states();
    if (!states || !known || states->size() != known->size())
        return false;
    for (std::size_t i = 0; i < states->size(); ++i)
        if (is_pending(*known, i) && !is_pending(*states, i) &&
            !mark_recipient_done(kept->fd(), kept->header().status_offset() + i))
            return false;
    return ::unlink(path.c_str()) == 0;
}

// A rename is one step, but not every file system keeps it one when the power goes: a message found in two queues would
// be delivered twice. The later place in its life stays, and what an administrator holds stays held.
std::expected<void, SystemError> drop_copies(const Spool& spool, RecoveryReport& report)
{
    constexpr std::array kLife{kIncoming, kActive, kDeferred, kHold};
    for (const auto queue : {kIncoming, kActive, kHold}) { // each pair has one of these, and they are short
        std::vector<std::string> ids;
        auto scanned = spool.scan(queue, [&](const std::string& id, const std::string&) {
            ids.push_back(id);
            return true;
        });
        if (!scanned)
            return scanned;
        const auto place = std::ranges::find(kLife, queue);
        for (const auto& id : ids)
            for (const auto other : kLife) {
                if (other == queue || ::access(spool.path(other, id).c_str(), F_OK) != 0)
                    continue;
                const bool later = std::ranges::find(kLife, other) > place;
                const std::string here = spool.path(queue, id);
                const std::string there = spool.path(other, id);
                report.repaired += later ? merge_copy(there, here) : merge_copy(here, there);
            }
    }
    return {};
}

// Files still in mode 0600 belong to sessions that ended before anything was promised; but one that changed after we
// began belongs to a daemon of an instance that is just starting beside us.
std::expected<void, SystemError> remove_unfinished(const Spool& spool, const timespec& begun, RecoveryReport& report)
{
    const auto is_older = [&](const timespec& time) {
        return time.tv_sec < begun.tv_sec || (time.tv_sec == begun.tv_sec && time.tv_nsec <= begun.tv_nsec);
    };
    return spool.scan(kIncoming, [&](const std::string&, const std::string& path) {
        struct stat status{};
        if (::stat(path.c_str(), &status) == 0 && (status.st_mode & S_IXUSR) == 0 && is_older(status.st_ctim) &&
            ::unlink(path.c_str()) == 0)
            ++report.unfinished;
        return true;
    });
}

// Logs for notices whose message is gone: who was to read or remove them was killed in between. They do no harm, so
// after an orderly end a start does not wait until very many of them have been looked at.
std::expected<void, SystemError> remove_orphaned_logs(const Spool& spool, bool after_crash, RecoveryReport& report)
{
    constexpr std::size_t kMany = 10'000;
    std::vector<std::pair<std::string, std::string>> logs; // id and path
    for (const auto kind : {kBounce, kDefer, kTrace}) {
        const auto scanned = spool.scan(kind, [&](const std::string& id, const std::string& path) {
            logs.emplace_back(id, path);
            return after_crash || logs.size() < kMany;
        });
        if (!scanned && scanned.error().code != ENOENT)
            return scanned;
    }
    if (logs.empty() || (!after_crash && logs.size() >= kMany))
        return {};
    // Reading the directories costs less than asking each of them for each log.
    std::unordered_set<std::string> messages;
    for (const auto queue : {kIncoming, kActive, kDeferred, kHold, kCorrupt}) {
        const auto scanned = spool.scan(queue, [&](const std::string& id, const std::string&) {
            messages.insert(id);
            return true;
        });
        if (!scanned && scanned.error().code != ENOENT)
            return scanned;
    }
    for (const auto& [id, path] : logs)
        if (!messages.contains(id) && ::unlink(path.c_str()) == 0)
            ++report.orphaned;
    return {};
}

} // namespace

std::expected<RecoveryReport, SystemError> recover(const Spool& spool)
{
    RecoveryReport report;
    Replay replay;
    std::vector<UniqueFd> locks;
    timespec begun{};
    ::clock_gettime(CLOCK_REALTIME, &begun);
    const auto slots = list_slots();
    bool after_crash = false;
    for (const auto& slot : slots) {
        const auto mark = read_checkpoint(slot);
        after_crash |= !mark || !mark->clean;
        auto lock = open_file(slot + "/lock", O_RDWR | O_CREAT, 0600);
        if (!lock)
            return unexpected(lock.error());
        if (::flock(lock->get(), LOCK_EX | LOCK_NB) != 0)
            return unexpected(SystemError{"lock", slot, errno == EWOULDBLOCK ? EBUSY : errno});
        locks.push_back(std::move(*lock));
        if (auto read = read_slot(slot, replay); !read)
            return unexpected(read.error());
    }
    for (const auto& [id, where] : replay.messages)
        if (!replay.removed.contains(id))
            if (auto restored = restore(spool, id, where, report); !restored)
                return unexpected(restored.error());
    for (const auto& id : replay.removed)
        while (const auto queue = spool.find(id)) {
            if (auto removed = spool.remove(*queue, id); !removed)
                return unexpected(removed.error());
            ++report.removed;
        }
    if (auto dropped = drop_copies(spool, report); !dropped)
        return unexpected(dropped.error());
    for (const auto& [id, offsets] : replay.done)
        mark_in_file(spool, id, offsets, {});
    const auto after = read_outcomes();
    if (!after)
        return unexpected(after.error());
    for (const auto& [id, numbers] : after->outcomes.done)
        mark_in_file(spool, id, {}, numbers);
    if (auto swept = remove_unfinished(spool, begun, report); !swept)
        return unexpected(swept.error());
    if (auto swept = remove_orphaned_logs(spool, after_crash, report); !swept)
        return unexpected(swept.error());

    const auto here = open_file(".", O_RDONLY | O_DIRECTORY);
    if (!here || ::syncfs(here->get()) != 0)
        return unexpected(SystemError::last("syncfs", "queue directory"));
    for (const auto& slot : slots) {
        const auto file = open_file(slot + "/checkpoint", O_RDWR | O_CREAT, 0600);
        if (!file)
            return unexpected(file.error());
        if (auto written = write_checkpoint(file->get(), {0, 0, monotonic_ns(), true}); !written)
            return unexpected(written.error());
    }
    forget_outcomes(after->finished);
    return report;
}

// --- while the instance runs ---

bool finished_file(const std::string& path)
{
    struct stat status{};
    return ::stat(path.c_str(), &status) == 0 && (status.st_mode & S_IXUSR) != 0;
}

void clear_unfinished(const Spool& spool, std::string_view id)
{
    for (const auto queue : kMessageQueues) {
        const std::string path = spool.path(queue, id);
        struct stat status{};
        if (::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & S_IXUSR) == 0 &&
            ::unlink(path.c_str()) != 0)
            log::warning("remove {}: {}", path, errno_text(errno));
    }
}

bool abandoned(std::string_view name)
{
    return !AbandonedSlot::take_all(name).empty();
}

std::expected<Replay, SystemError> read_slots(std::string_view name)
{
    Replay replay;
    for (const auto& slot : list_slots(name))
        if (auto read = read_slot(slot, replay); !read)
            return unexpected(read.error());
    return replay;
}

std::set<std::string, std::less<>> journalled_messages()
{
    std::set<std::string, std::less<>> ids;
    for (const auto& slot : list_slots())
        for (const auto& segment : list_segments(slot))
            if (const auto bytes = read_file(segment.path, kMostOfSegment))
                for (const auto& record : parse_segment(*bytes, segment.sequence))
                    if (record.type != RecordType::recipient_done)
                        ids.insert(record.id);
    return ids;
}

std::vector<AbandonedSlot> AbandonedSlot::take_all(std::string_view name)
{
    std::vector<AbandonedSlot> taken;
    for (const auto& slot : list_slots(name)) {
        const auto mark = read_checkpoint(slot);
        if (mark && mark->clean)
            continue;
        auto lock = open_file(slot + "/lock", O_RDWR | O_CREAT, 0600);
        if (!lock || ::flock(lock->get(), LOCK_EX | LOCK_NB) != 0)
            continue;
        // Its writer may have left it clean a moment ago.
        if (const auto now = read_checkpoint(slot); !now || !now->clean)
            taken.push_back(AbandonedSlot(slot, std::move(*lock)));
    }
    return taken;
}

std::expected<std::vector<std::string>, SystemError> AbandonedSlot::orphans(const Spool& spool,
                                                                            const Replay& known) const
{
    Replay own;
    if (auto read = read_slot(slot_, own); !read)
        return unexpected(read.error());
    std::vector<std::string> ids;
    for (const auto& [id, place] : own.messages) {
        // One that is not finished is no file yet.
        const auto queue = spool.find(id);
        if (!known.removed.contains(id) && !(queue && finished_file(spool.path(*queue, id))))
            ids.push_back(id);
    }
    return ids;
}

std::expected<void, SystemError> AbandonedSlot::empty(const Spool& spool, const std::vector<std::string>& ids,
                                                      const Outcomes& outcomes) const
{
    Replay own;
    if (auto read = read_slot(slot_, own); !read)
        return unexpected(read.error());
    const auto known = read_slots("qmgr");
    if (!known)
        return unexpected(known.error());
    for (const auto& id : ids) {
        const auto found = own.messages.find(id);
        if (found == own.messages.end() || known->removed.contains(id))
            continue;
        auto bytes = read_back(found->second);
        if (!bytes)
            return unexpected(bytes.error());
        const auto made = file_record(spool, id, std::move(*bytes), *known, outcomes);
        if (!made && made.error().code != EEXIST)
            return made;
    }
    const auto file = open_file(slot_ + "/checkpoint", O_RDWR | O_CREAT, 0600);
    if (!file)
        return unexpected(file.error());
    if (::syncfs(file->get()) != 0)
        return unexpected(SystemError::last("syncfs", slot_));
    return write_checkpoint(file->get(), {0, 0, monotonic_ns(), true});
}

void mark_done(std::string& file, const std::vector<std::uint64_t>& offsets, const std::set<std::uint32_t>& numbers)
{
    const auto header = QueueFileHeader::parse(file);
    if (!header || header->file_size() != file.size())
        return;
    const auto mark = [&](std::uint64_t offset) {
        if (offset >= header->status_offset() && offset < file.size())
            file[offset] = static_cast<char>(RecipientState::done);
    };
    std::ranges::for_each(offsets, mark);
    for (const auto number : numbers)
        mark(header->status_offset() + number);
}

std::expected<void, SystemError> file_record(const Spool& spool, const std::string& id, std::string payload,
                                             const Replay& known, const Outcomes& outcomes)
{
    if (const auto offsets = known.done.find(id); offsets != known.done.end())
        mark_done(payload, offsets->second, {});
    if (const auto numbers = outcomes.done.find(id); numbers != outcomes.done.end())
        mark_done(payload, {}, numbers->second);
    if (const auto made = make_queue_file(spool, kIncoming, id, payload); !made)
        return unexpected(made.error());
    return {};
}

void mark_in_file(const Spool& spool, std::string_view id, const std::vector<std::uint64_t>& offsets,
                  const std::set<std::uint32_t>& numbers)
{
    const auto queue = spool.find(id);
    if (!queue)
        return;
    const auto file = QueueFile::open(spool.path(*queue, id), O_RDWR);
    if (!file)
        return;
    const std::uint64_t first = file->header().status_offset();
    const auto mark = [&](std::uint64_t offset) {
        if (offset >= first && offset < file->header().file_size())
            if (const auto marked = mark_recipient_done(file->fd(), offset); !marked)
                log::warning("{}: {}", id, marked.error().message());
    };
    std::ranges::for_each(offsets, mark);
    for (const auto number : numbers)
        mark(first + number);
}

std::expected<UniqueFd, SystemError> make_queue_file(const Spool& spool, std::string_view queue, std::string_view id,
                                                     std::string_view bytes)
{
    auto file = spool.create(queue, id);
    if (!file)
        return unexpected(file.error());
    std::expected<void, SystemError> done = write_all(file->get(), bytes, id);
    if (done && ::flock(file->get(), LOCK_SH | LOCK_NB) != 0)
        done = unexpected(SystemError::last("lock", std::string(id)));
    if (done && ::fchmod(file->get(), 0700) != 0)
        done = unexpected(SystemError::last("fchmod", std::string(id)));
    if (!done) {
        ::unlink(spool.path(queue, id).c_str());
        return unexpected(done.error());
    }
    return file;
}

} // namespace facteur::queue
