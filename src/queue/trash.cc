#include "queue/trash.h"

#include "queue/journal.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <optional>
#include <unordered_set>

namespace facteur::queue {

namespace {

using Logs = std::array<std::optional<std::unordered_set<std::string>>, kLogQueues.size()>;

std::string trash_directory()
{
    return std::string(kJournalDirectory) + "/trash";
}

struct CloseDirectory {
    void operator()(DIR* directory) const { ::closedir(directory); }
};

// Names but for "." and "..", and whether each is a directory. Nothing when it cannot be read.
std::vector<std::pair<std::string, bool>> entries(const std::string& directory)
{
    std::vector<std::pair<std::string, bool>> found;
    const std::unique_ptr<DIR, CloseDirectory> handle(::opendir(directory.c_str()));
    while (const dirent* entry = handle ? ::readdir(handle.get()) : nullptr) {
        std::string name = entry->d_name;
        if (name == "." || name == "..")
            continue;
        bool is_directory = entry->d_type == DT_DIR;
        if (struct stat status{}; entry->d_type == DT_UNKNOWN)
            is_directory = ::lstat((directory + "/" + name).c_str(), &status) == 0 && S_ISDIR(status.st_mode);
        found.emplace_back(std::move(name), is_directory);
    }
    return found;
}

// The messages that have a log; nothing when they are many.
std::optional<std::unordered_set<std::string>> few_names(const Spool& spool, std::string_view queue)
{
    constexpr std::size_t kFew = 10000;
    std::unordered_set<std::string> names;
    const auto read = spool.scan(queue, [&names](const std::string& id, const std::string&) {
        names.insert(id);
        return names.size() <= kFew;
    });
    if (!read || names.size() > kFew)
        return std::nullopt;
    return names;
}

// Empties a directory of the trash and removes it.
class Emptying {
public:
    Emptying(const Spool& spool, const std::stop_token& stop) : spool_(spool), stop_(stop)
    {
        for (std::size_t i = 0; i < kLogQueues.size(); ++i)
            logs_[i] = few_names(spool, kLogQueues[i]);
    }

    void empty(const std::string& directory)
    {
        for (const auto& [name, is_directory] : entries(directory)) {
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
        for (std::size_t i = 0; i < kLogQueues.size(); ++i)
            if (!logs_[i] || logs_[i]->contains(id))
                if (const auto removed = spool_.remove(kLogQueues[i], id); !removed && removed.error().code != ENOENT)
                    failure_ = failure_.value_or(removed.error());
    }
    void note(int result, const std::string& path)
    {
        if (result != 0 && errno != ENOENT && !failure_)
            failure_ = SystemError::last("remove", path);
    }

    const Spool& spool_;
    const std::stop_token& stop_;
    Logs logs_;
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
    for (const auto& [name, is_directory] : entries(std::string(queue))) {
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
    for (auto& [name, is_directory] : entries(directory)) {
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
    for (const auto& [name, is_directory] : entries(parent)) {
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
        if (const auto removed = spool.remove(log, id); !removed && removed.error().code != ENOENT)
            failures.push_back(removed.error());
    return failures;
}

} // namespace facteur::queue
