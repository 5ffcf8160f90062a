// Which version of a file was read.
#pragma once

#include <sys/types.h>

#include <ctime>
#include <optional>
#include <string>

namespace facteur::table {

struct FileStamp {
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = 0;
    timespec modified{};

    static std::optional<FileStamp> of(const std::string& path);
    friend bool operator==(const FileStamp& a, const FileStamp& b)
    {
        return a.device == b.device && a.inode == b.inode && a.size == b.size &&
               a.modified.tv_sec == b.modified.tv_sec && a.modified.tv_nsec == b.modified.tv_nsec;
    }
};

// A text file that was read whole, and whether there is a newer one by now. A file that is out of sight (removed, or
// outside the chroot jail) counts as unchanged.
class WatchedFile {
public:
    WatchedFile() = default;
    explicit WatchedFile(std::string path) : path_(std::move(path)), stamp_(FileStamp::of(path_)) {}
    [[nodiscard]] bool changed() const
    {
        if (!stamp_)
            return false;
        const auto now = FileStamp::of(path_);
        return now && *now != *stamp_;
    }

private:
    std::string path_;
    std::optional<FileStamp> stamp_;
};

} // namespace facteur::table
