#include "base/directory.h"

#include <dirent.h>
#include <sys/stat.h>

#include <cerrno>
#include <memory>

namespace facteur {

namespace {

struct CloseDirectory {
    void operator()(DIR* directory) const { ::closedir(directory); }
};

bool names_directory(const std::string& parent, const dirent& entry)
{
    if (entry.d_type != DT_UNKNOWN)
        return entry.d_type == DT_DIR;
    struct stat status{};
    return ::lstat((parent + "/" + entry.d_name).c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

} // namespace

std::expected<std::vector<DirectoryEntry>, SystemError> read_directory(const std::string& path)
{
    const std::unique_ptr<DIR, CloseDirectory> handle(::opendir(path.c_str()));
    if (!handle)
        return std::unexpected(SystemError::last("open directory", path));
    std::vector<DirectoryEntry> entries;
    for (;;) {
        errno = 0;
        const dirent* const entry = ::readdir(handle.get());
        if (!entry && errno != 0)
            return std::unexpected(SystemError::last("read directory", path));
        if (!entry)
            return entries;
        std::string name = entry->d_name;
        if (name != "." && name != "..")
            entries.push_back({entry->d_ino, std::move(name), names_directory(path, *entry)});
    }
}

} // namespace facteur
