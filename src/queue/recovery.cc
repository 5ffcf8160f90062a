#include "queue/recovery.h"

#include "base/log.h"
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
#include <map>
#include <set>

namespace facteur::queue {

namespace {

using std::unexpected;

// Where a message's bytes stand in the journal, and what is known of it besides.
struct Journalled {
    std::string segment;
    std::uint64_t offset = 0;
    std::size_t size = 0;
};

struct Replay {
    std::map<std::string, Journalled> messages;
    std::set<std::string> removed;
    std::map<std::string, std::vector<std::uint64_t>> done;
};

std::expected<void, SystemError> read_slot(const std::string& slot, Replay& replay)
{
    const auto mark = read_checkpoint(slot);
    if (mark && mark->clean)
        return {};
    for (const auto& segment : list_segments(slot)) {
        if (mark && segment.sequence < mark->live_sequence)
            continue;
        const auto bytes = read_file(segment.path, std::size_t{1} << 30);
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

std::expected<std::string, SystemError> read_part(int fd, std::uint64_t offset, std::size_t size,
                                                  const std::string& path)
{
    std::string bytes(size, '\0');
    if (::pread(fd, bytes.data(), size, static_cast<off_t>(offset)) != static_cast<ssize_t>(size))
        return unexpected(SystemError::last("read", path));
    return bytes;
}

std::expected<std::string, SystemError> read_journalled(const Journalled& where)
{
    const auto segment = open_file(where.segment, O_RDONLY);
    if (!segment)
        return unexpected(segment.error());
    return read_part(segment->get(), where.offset, where.size, where.segment);
}

std::expected<void, SystemError> write_again(const Spool& spool, const std::string& id, std::string_view bytes)
{
    ::unlink(spool.path(kIncoming, id).c_str());
    const auto file = spool.create(kIncoming, id);
    if (!file)
        return unexpected(file.error());
    if (auto written = write_all(file->get(), bytes, id); !written)
        return written;
    if (::fchmod(file->get(), 0700) != 0)
        return unexpected(SystemError::last("fchmod", id));
    return {};
}

// The part of a queue file that never changes: content and envelope. Nothing when the file cannot be read.
std::optional<std::string> lasting_part(const QueueFile& file)
{
    auto bytes = read_part(file.fd(), kContentOffset, file.header().status_offset() - kContentOffset, "queue file");
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
std::expected<void, SystemError> restore(const Spool& spool, const std::string& id, const Journalled& where,
                                         RecoveryReport& report)
{
    const auto bytes = read_journalled(where);
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

void mark_done(const Spool& spool, const std::string& id, const std::vector<std::uint64_t>& offsets)
{
    const auto queue = spool.find(id);
    if (!queue)
        return;
    const auto file = QueueFile::open(spool.path(*queue, id), O_RDWR);
    if (!file)
        return;
    for (const auto offset : offsets)
        if (offset >= file->header().status_offset() && offset < file->header().file_size())
            if (const auto marked = mark_recipient_done(file->fd(), offset); !marked)
                log::warning("{}: {}", id, marked.error().message());
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

// Logs for notices whose message is gone: who was to read or remove them was killed in between.
std::expected<void, SystemError> remove_orphaned_logs(const Spool& spool, RecoveryReport& report)
{
    for (const auto logs : {kBounce, kDefer, kTrace}) {
        const auto scanned = spool.scan(logs, [&](const std::string& id, const std::string& path) {
            const bool owned = spool.find(id) || ::access(spool.path(kCorrupt, id).c_str(), F_OK) == 0;
            if (!owned && ::unlink(path.c_str()) == 0)
                ++report.orphaned;
            return true;
        });
        if (!scanned && scanned.error().code != ENOENT)
            return scanned;
    }
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
    for (const auto& slot : slots) {
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
        mark_done(spool, id, offsets);
    if (auto swept = remove_unfinished(spool, begun, report); !swept)
        return unexpected(swept.error());
    if (auto swept = remove_orphaned_logs(spool, report); !swept)
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
    return report;
}

} // namespace facteur::queue
