#include "tools/postsuper/operations.h"

#include "base/log.h"
#include "queue/queue_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace facteur::postsuper {

namespace {

constexpr std::size_t kFew = 100; // they are removed one by one

// Damaged messages can be deleted, nothing else.
bool suits(Operation operation, std::string_view queue)
{
    return queue == queue::kMaildrop || queue == queue::kIncoming || queue == queue::kActive ||
           queue == queue::kDeferred || queue == queue::kHold ||
           (queue == queue::kCorrupt && operation == Operation::remove);
}

// An incomplete file has no owner-execute bit; its writer will set the mode, so the mark would be lost.
bool can_expire(const struct stat& status)
{
    return (status.st_mode & queue::kExpiredMode) == 0 && (status.st_mode & S_IXUSR) != 0;
}

// A file that vanished was delivered, moved or deleted by someone else meanwhile: no news.
void report_unless_gone(const SystemError& error)
{
    if (error.code != ENOENT)
        log::warning("{}", error.message());
}

} // namespace

QueueNames Operations::default_queues(Operation operation)
{
    switch (operation) {
    case Operation::hold:
        return {queue::kIncoming, queue::kActive, queue::kDeferred};
    case Operation::release:
        return {queue::kHold};
    default:
        return {queue::kHold, queue::kIncoming, queue::kActive, queue::kDeferred};
    }
}

void Operations::one(Operation operation, const std::string& id, const QueueNames& queues)
{
    for (int attempt = 0; attempt < 2; ++attempt)
        for (const auto queue : queues)
            if (suits(operation, queue) && apply(operation, id, queue, Report::each))
                return;
}

// The directories change under a scan, and a moved message must not be met again: names first, then deeds.
std::vector<Operations::Found> Operations::find_all(Operation operation, const QueueNames& queues) const
{
    std::vector<Found> found;
    for (const auto queue : queues) {
        if (!suits(operation, queue))
            continue;
        const auto scanned = spool_.scan(queue, [&](const std::string& id, const std::string&) {
            found.push_back({id, queue});
            return true;
        });
        if (!scanned)
            report_unless_gone(scanned.error());
    }
    return found;
}

void Operations::all(Operation operation, const QueueNames& queues)
{
    std::vector<Found> found = find_all(operation, queues);
    if (operation == Operation::remove && plan_.mode == Mode::perform && plan_.trash && found.size() > kFew) {
        if (auto trash = queue::Trash::open()) // without one, each is removed
            trash_.emplace(std::move(*trash));
        if (trash_ && !plan_.chosen) {
            throw_directories_away(queues);
            found = find_all(operation, queues);
        }
    }
    for (const auto& [id, queue] : found)
        apply(operation, id, queue, Report::none);
    trash_filled_ |= trash_.has_value();
    trash_.reset();
}

void Operations::throw_directories_away(const QueueNames& queues)
{
    for (const auto queue : queues)
        if (suits(Operation::remove, queue))
            for (const auto& id : trash_->take_directories(queue)) {
                note_removed(id);
                if (plan_.each)
                    plan_.each(Operation::remove, queue, id);
            }
}

bool Operations::apply(Operation operation, const std::string& id, std::string_view queue, Report report)
{
    if (plan_.chosen && !plan_.chosen(queue, id))
        return false;
    const bool done =
        plan_.mode == Mode::rehearse ? rehearse(operation, id, queue) : perform(operation, id, queue, report);
    if (done && plan_.each)
        plan_.each(operation, queue, id);
    return done;
}

// What perform() would do to the files as they are now, without doing it.
bool Operations::rehearse(Operation operation, const std::string& id, std::string_view queue)
{
    struct stat status{};
    if (::stat(spool_.path(queue, id).c_str(), &status) != 0)
        return false;
    const bool held = queue == queue::kHold;
    switch (operation) {
    case Operation::requeue:
        counts_.requeued += queue != queue::kMaildrop;
        return queue != queue::kMaildrop;
    case Operation::remove:
        ++counts_.removed;
        return true;
    case Operation::expire:
        counts_.expired += can_expire(status);
        return can_expire(status);
    case Operation::expire_and_release:
        counts_.expired += can_expire(status);
        counts_.released += held;
        return can_expire(status) || held;
    case Operation::hold:
        counts_.held += !held && queue != queue::kMaildrop;
        return !held && queue != queue::kMaildrop;
    case Operation::release:
        counts_.released += held;
        return held;
    }
    return false;
}

bool Operations::perform(Operation operation, const std::string& id, std::string_view queue, Report report)
{
    switch (operation) {
    case Operation::requeue:
        return requeue(id, queue, report);
    case Operation::remove:
        return remove(id, queue, report);
    case Operation::expire:
        return expire(id, queue, report);
    case Operation::expire_and_release: {
        const bool expired = expire(id, queue, report);
        const bool released = queue == queue::kHold && release(id, queue, report);
        return expired || released;
    }
    case Operation::hold:
        return hold(id, queue, report);
    case Operation::release:
        return queue == queue::kHold && release(id, queue, report);
    }
    return false;
}

void Operations::changed(ipc::QueueChange::Operation change, const std::string& id) const
{
    if (plan_.changed)
        plan_.changed(change, id);
}

bool Operations::remove(const std::string& id, std::string_view queue, Report report)
{
    if (const auto done = trash_ ? trash_->take(spool_, queue, id) : spool_.remove(queue, id); !done) {
        report_unless_gone(done.error());
        return false;
    }
    if (!trash_)
        for (const auto& failure : queue::remove_logs(spool_, id))
            report_unless_gone(failure);
    if (report == Report::each)
        log::info("{}: removed", id);
    note_removed(id);
    return true;
}

void Operations::note_removed(const std::string& id)
{
    ++counts_.removed;
    changed(ipc::QueueChange::REMOVED, id);
}

bool Operations::expire(const std::string& id, std::string_view queue, Report report)
{
    const std::string path = spool_.path(queue, id);
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0) {
        report_unless_gone(SystemError::last("stat", path));
        return false;
    }
    if (!can_expire(status))
        return false;
    if (::chmod(path.c_str(), (status.st_mode & 07777) | queue::kExpiredMode) != 0) {
        log::warning("expire file {}: cannot set permission: {}", path, errno_text(errno));
        return false;
    }
    if (report == Report::each)
        log::info("{}: expired", id);
    ++counts_.expired;
    changed(ipc::QueueChange::EXPIRED, id);
    return true;
}

bool Operations::move(const std::string& id, std::string_view from, std::string_view to)
{
    if (from == queue::kMaildrop || from == to)
        return false;
    if (const auto moved = spool_.move(id, from, to); !moved) {
        report_unless_gone(moved.error());
        return false;
    }
    return true;
}

// Due now: a deferred file's modification time is its next try.
bool Operations::release(const std::string& id, std::string_view queue, Report report)
{
    if (!move(id, queue, queue::kDeferred))
        return false;
    const std::string path = spool_.path(queue::kDeferred, id);
    if (::utimensat(AT_FDCWD, path.c_str(), nullptr, 0) != 0 && errno != ENOENT)
        log::warning("{}: reset time stamps: {}", path, errno_text(errno));
    if (report == Report::each)
        log::info("{}: released from hold", id);
    ++counts_.released;
    changed(ipc::QueueChange::RELEASED, id);
    return true;
}

bool Operations::requeue(const std::string& id, std::string_view queue, Report report)
{
    if (queue == queue::kIncoming ? ::access(spool_.path(queue, id).c_str(), F_OK) != 0
                                  : !move(id, queue, queue::kIncoming))
        return false;
    if (report == Report::each)
        log::info("{}: requeued", id);
    ++counts_.requeued;
    changed(ipc::QueueChange::REQUEUED, id);
    return true;
}

bool Operations::hold(const std::string& id, std::string_view queue, Report report)
{
    if (!move(id, queue, queue::kHold))
        return false;
    if (report == Report::each)
        log::info("{}: placed on hold", id);
    ++counts_.held;
    changed(ipc::QueueChange::HELD, id);
    return true;
}

} // namespace facteur::postsuper
