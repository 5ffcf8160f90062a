#include "queue/spool.h"

#include "base/directory.h"
#include "base/text.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

namespace facteur::queue {

namespace {

// rename(2) that never replaces: an id that came twice must not cost a message.
int rename_keeping(const char* from, const char* to)
{
    if (::renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    if (::access(to, F_OK) == 0) { // a file system without the flag
        errno = EEXIST;
        return -1;
    }
    return ::rename(from, to);
}

void make_parents(const std::string& path)
{
    for (std::size_t slash = path.find('/'); slash != path.npos; slash = path.find('/', slash + 1))
        ::mkdir(path.substr(0, slash).c_str(), 0700);
}

} // namespace

Spool::Spool(std::string_view hashed_queues, int depth) : depth_(depth)
{
    for (const auto name : text::split(hashed_queues, ", \t\r\n"))
        hashed_.emplace(name);
}

bool Spool::hashed(std::string_view queue) const
{
    return depth_ > 0 && hashed_.contains(queue);
}

std::string Spool::path(std::string_view queue, std::string_view id) const
{
    std::string path(queue);
    path += '/';
    if (hashed(queue)) {
        const std::string digits = hash_digits(id);
        for (int level = 0; level < depth_; ++level) {
            path += static_cast<std::size_t>(level) < digits.size() ? digits[static_cast<std::size_t>(level)] : '_';
            path += '/';
        }
    }
    path += id;
    return path;
}

std::optional<std::string_view> Spool::find(std::string_view id) const
{
    for (const auto queue : kMessageQueues)
        if (::access(path(queue, id).c_str(), F_OK) == 0)
            return queue;
    return std::nullopt;
}

std::expected<void, SystemError> Spool::move(std::string_view id, std::string_view from, std::string_view to) const
{
    const std::string old_path = path(from, id);
    const std::string new_path = path(to, id);
    if (rename_keeping(old_path.c_str(), new_path.c_str()) == 0)
        return {};
    if (errno == ENOENT && hashed(to) && ::access(old_path.c_str(), F_OK) == 0) {
        make_parents(new_path);
        if (rename_keeping(old_path.c_str(), new_path.c_str()) == 0)
            return {};
    }
    return std::unexpected(SystemError::last("rename", old_path + " to " + new_path));
}

std::expected<void, SystemError> Spool::remove(std::string_view queue, std::string_view id) const
{
    const std::string file = path(queue, id);
    if (::unlink(file.c_str()) != 0)
        return std::unexpected(SystemError::last("remove", file));
    return {};
}

std::expected<UniqueFd, SystemError> Spool::create(std::string_view queue, std::string_view id) const
{
    const std::string file = path(queue, id);
    constexpr int kFlags = O_RDWR | O_CREAT | O_EXCL;
    auto fd = open_file(file, kFlags, 0600);
    if (!fd && fd.error().code == ENOENT && hashed(queue)) {
        make_parents(file);
        fd = open_file(file, kFlags, 0600);
    }
    return fd;
}

std::expected<void, SystemError> Spool::scan(std::string_view queue,
                                             const std::function<bool(const std::string&, const std::string&)>& each,
                                             const std::function<void(const std::string&)>& odd) const
{
    // Hash directories of any depth are walked: an administrator may have changed the depth.
    std::vector<std::string> directories{std::string(queue)};
    while (!directories.empty()) {
        const std::string directory = std::move(directories.back());
        directories.pop_back();
        auto entries = read_directory(directory);
        if (!entries) {
            if (entries.error().code == ENOENT && directory != queue)
                continue;
            return std::unexpected(std::move(entries.error()));
        }
        // In the order in which the files lie on the disk, for those who read them.
        std::ranges::sort(*entries, {}, &DirectoryEntry::inode);
        for (const auto& [inode, name, is_directory] : *entries) {
            const std::string file = directory + "/" + name;
            if (name.size() == 1) {
                directories.push_back(file);
                continue;
            }
            if (!valid_queue_id(name)) {
                if (odd)
                    odd(file);
                continue;
            }
            if (!each(name, file))
                return {};
        }
    }
    return {};
}

} // namespace facteur::queue
