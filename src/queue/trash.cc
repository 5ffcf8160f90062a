#include "queue/trash.h"

#include "base/directory.h"
#include "queue/journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <optional>
#include <unordered_set>

namespace facteur::queue {

namespace {

std::string trash_directory()
{
    return std::string(kJournalDirectory) + "/trash";
}

// Nothing of one that cannot be read.
std::vector<DirectoryEntry> entries(const std::string& directory)
{
    return read_directory(directory).value_or(std::vector<DirectoryEntry>());
}

std::expected<void, SystemError> remove_if_there(const Spool& spool, std::string_view queue, const std::string& id)
{
    auto removed = spool.remove(queue, id);
    if (!removed && removed.error().code == ENOENT)
        return {};
    return removed;
}

// One of kLogQueues, with the messages that have a log there unless they are many.
class Logs {
public:
    Logs(const Spool& spool, std::string_view queue) : queue_(queue)
    {
        constexpr std::size_t kFew = 10000;
        std::unordered_set<std::string> names;
        const auto read = spool.scan(queue, [&names](const std::string& id, const std::string&) {
            names.insert(id);
            return names.size() <= kFew;
        });
        if (read && names.size() <= kFew)
            names_ = std::move(names);
    }
    [[nodiscard]] std::string_view queue() const { return queue_; }
    [[nodiscard]] bool may_have(const std::string& id) const { return !names_ || names_->contains(id); }

private:
    std::string_view queue_;
    std::optional<std::unordered_set<std::string>> names_;
};

// Empties a directory of the trash and removes it.
class Emptying {
public:
    Emptying(const Spool& spool, const std::stop_token& stop) : spool_(spool), stop_(stop)
    {
        for (const auto queue : kLogQueues)
            logs_.emplace_back(spool, queue);
    }

    void empty(const std::string& directory)
    {
        for (const auto& [inode, name, is_directory] : entries(directory)) {
            if (stop_.stop_requested())
                return;
            const std::string path = directory + "/" + name;
            if (is_directory) {
                empty(path);
                continue;
            }
            if (!valid_queue_id(name))
                continue; // could not be put back: not ours to remove
            remove_known_logs(name);
            note(::unlink(path.c_str()), path);
        }
        if (!stop_.stop_requested())
            note(::rmdir(directory.c_str()), directory);
    }

    [[nodiscard]] const std::optional<SystemError>& failure() const { return failure_; }

private:
    void remove_known_logs(const std::string& id)
    {
        for (const auto& logs : logs_)
            if (logs.may_have(id))
                if (const auto removed = remove_if_there(spool_, logs.queue(), id); !removed)
                    failure_ = failure_.value_or(removed.error());
    }
    void note(int result, const std::string& path)
    {
        if (result != 0 && errno != ENOENT && !failure_)
            failure_ = SystemError::last("remove", path);
    }

    const Spool& spool_;
    const std::stop_token& stop_;
    std::vector<Logs> logs_;
    std::optional<SystemError> failure_;
};

} // namespace

std::expected<Trash, SystemError> Trash::open()
{
    const std::string parent = trash_directory();
    if (::mkdir(parent.c_str(), 0700) != 0 && errno != EEXIST)
        return std::unexpected(SystemError::last("mkdir", parent));
    std::string path = parent + "/XXXXXX";
    if (!::mkdtemp(path.data()))
        return std::unexpected(SystemError::last("mkdir", path));
    auto lock = open_file(path, O_RDONLY | O_DIRECTORY);
    if (!lock)
        return std::unexpected(lock.error());
    // Somebody who empties the trash may have been faster.
    struct stat status{};
    if (::flock(lock->get(), LOCK_EX | LOCK_NB) != 0 || ::fstat(lock->get(), &status) != 0 || status.st_nlink == 0)
        return std::unexpected(SystemError::last("lock", path));
    return Trash(std::move(path), std::move(*lock));
}

std::vector<std::string> Trash::take_directories(std::string_view queue)
{
    std::vector<std::string> ids;
    for (const auto& [inode, name, is_directory] : entries(std::string(queue))) {
        struct stat status{};
        const std::string hashed = fmt::format("{}/{}", queue, name);
        if (!is_directory || name.size() != 1 || ::lstat(hashed.c_str(), &status) != 0)
            continue;
        const std::string taken = fmt::format("{}/{}.{}", path_, queue, name);
        // Whoever makes a file there always finds a directory.
        if (::mkdir(taken.c_str(), status.st_mode & 07777) != 0)
            break;
        if (::renameat2(AT_FDCWD, hashed.c_str(), AT_FDCWD, taken.c_str(), RENAME_EXCHANGE) != 0) {
            ::rmdir(taken.c_str());
            break;
        }
        list(taken, hashed, ids);
    }
    return ids;
}

void Trash::list(const std::string& directory, const std::string& origin, std::vector<std::string>& ids)
{
    for (auto& [inode, name, is_directory] : entries(directory)) {
        const std::string path = directory + "/" + name;
        if (is_directory && name.size() == 1)
            list(path, origin, ids);
        else if (!is_directory && valid_queue_id(name))
            ids.push_back(std::move(name));
        else
            ::renameat2(AT_FDCWD, path.c_str(), AT_FDCWD, (origin + "/" + name).c_str(), RENAME_NOREPLACE);
    }
}

std::expected<void, SystemError> Trash::take(const Spool& spool, std::string_view queue, std::string_view id)
{
    const std::string from = spool.path(queue, id);
    if (::rename(from.c_str(), fmt::format("{}/{}", path_, id).c_str()) != 0)
        return std::unexpected(SystemError::last("remove", from));
    return {};
}

bool trash_is_empty()
{
    return entries(trash_directory()).empty();
}

std::expected<void, SystemError> empty_trash(const Spool& spool, const std::stop_token& stop)
{
    const std::string parent = trash_directory();
    Emptying emptying(spool, stop);
    for (const auto& [inode, name, is_directory] : entries(parent)) {
        const std::string path = parent + "/" + name;
        const auto lock = open_file(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        if (lock && ::flock(lock->get(), LOCK_EX | LOCK_NB) == 0)
            emptying.empty(path);
    }
    if (emptying.failure())
        return std::unexpected(*emptying.failure());
    return {};
}

std::vector<SystemError> remove_logs(const Spool& spool, const std::string& id)
{
    std::vector<SystemError> failures;
    for (const auto log : kLogQueues)
        if (const auto removed = remove_if_there(spool, log, id); !removed)
            failures.push_back(removed.error());
    return failures;
}

} // namespace facteur::queue
