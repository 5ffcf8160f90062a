#include "tools/postsuper/structure.h"

#include "base/log.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <string>
#include <vector>

namespace facteur::postsuper {

namespace {

constexpr std::time_t kLeftoverAge = 7 * 24 * 3600;

struct Misplaced {
    std::string path;
    std::string right_path;
};

void put_right(const Misplaced& file, Mode mode)
{
    if (mode == Mode::rehearse) {
        fmt::print(stderr, "postsuper: would rename file {} as {}\n", file.path, file.right_path);
        return;
    }
    for (auto slash = file.right_path.find('/'); slash != std::string::npos;
         slash = file.right_path.find('/', slash + 1))
        ::mkdir(file.right_path.substr(0, slash).c_str(), 0700);
    if (::access(file.right_path.c_str(), F_OK) == 0) {
        log::warning("rename file {} as {}: {}", file.path, file.right_path, errno_text(EEXIST));
        return;
    }
    if (::rename(file.path.c_str(), file.right_path.c_str()) != 0) {
        if (errno != ENOENT)
            log::warning("rename file {} as {}: {}", file.path, file.right_path, errno_text(errno));
        return;
    }
    log::info("renamed file {} as {}", file.path, file.right_path);
}

// Depth first; rmdir(2) refuses what is not empty, which is how it is decided. Directories in use by the present
// depth stay: they would be made again at once.
void remove_unused_directories(std::string_view queue, int keep_depth)
{
    namespace fs = std::filesystem;
    std::error_code error;
    std::vector<std::pair<int, std::string>> directories;
    for (auto it = fs::recursive_directory_iterator(queue, fs::directory_options::skip_permission_denied, error);
         !error && it != fs::recursive_directory_iterator(); it.increment(error))
        if (it->is_directory(error) && it->path().filename().string().size() == 1)
            directories.emplace_back(it.depth() + 1, it->path().string());
    std::ranges::sort(directories, std::greater<>());
    for (const auto& [depth, path] : directories)
        if (depth > keep_depth && ::rmdir(path.c_str()) == 0)
            log::info("remove subdirectory {}", path);
}

} // namespace

void fix_structure(const queue::Spool& spool, std::string_view queue, Mode mode)
{
    if (queue == queue::kMaildrop && spool.hashed(queue)) {
        log::fatal("{} queue must not be hashed", queue);
        log::flush();
        ::_exit(1);
    }
    std::vector<Misplaced> misplaced;
    const auto note = [&](const std::string& id, const std::string& path) {
        if (const std::string right = spool.path(queue, id); right != path)
            misplaced.push_back({path, right});
        return true;
    };
    const auto odd = [&](const std::string& path) {
        if (queue != "flush") // its files are named after destinations
            log::warning("bogus file name: {}", path);
    };
    if (const auto scanned = spool.scan(queue, note, odd); !scanned && scanned.error().code != ENOENT)
        log::warning("{}", scanned.error().message());
    for (const auto& file : misplaced)
        put_right(file, mode);
    const std::string sample = spool.path(queue, "000000");
    if (mode == Mode::perform)
        remove_unused_directories(queue, static_cast<int>(std::ranges::count(sample, '/')) - 1);
}

void purge_leftovers(const queue::Spool& spool, std::string_view queue, Mode mode)
{
    const std::time_t too_old = std::time(nullptr) - kLeftoverAge;
    const bool has_messages =
        std::ranges::find(queue::kMessageQueues, queue) != queue::kMessageQueues.end() || queue == queue::kMaildrop;
    if (!has_messages)
        return;
    std::vector<std::string> leftovers;
    const auto consider = [&](const std::string& path, bool odd_name) {
        struct stat status{};
        if (::lstat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && status.st_mtime < too_old &&
            (odd_name || (status.st_mode & S_IXUSR) == 0))
            leftovers.push_back(path);
    };
    const auto scanned = spool.scan(
        queue,
        [&](const std::string&, const std::string& path) {
            consider(path, false);
            return true;
        },
        [&](const std::string& path) { consider(path, true); });
    if (!scanned && scanned.error().code != ENOENT)
        log::warning("{}", scanned.error().message());
    for (const auto& path : leftovers) {
        if (mode == Mode::rehearse)
            fmt::print(stderr, "postsuper: would remove file {}\n", path);
        else if (::unlink(path.c_str()) == 0)
            log::info("removed file {}", path);
        else if (errno != ENOENT)
            log::warning("remove file {}: {}", path, errno_text(errno));
    }
}

} // namespace facteur::postsuper
