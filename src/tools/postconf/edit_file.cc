#include "tools/postconf/edit_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace facteur::postconf {

namespace {

constexpr std::string_view kSuffix = ".tmp";

// Opens and locks the temporary file. Another editor may rename it away between the two, so its name is checked after.
std::expected<UniqueFd, std::string> open_locked(const std::string& path)
{
    for (;;) {
        auto fd = open_file(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
        if (!fd)
            return std::unexpected(fd.error().message());
        if (::flock(fd->get(), LOCK_EX) != 0)
            return std::unexpected(SystemError::last("lock", path).message());
        struct stat ours{};
        struct stat named{};
        if (::fstat(fd->get(), &ours) == 0 && ::stat(path.c_str(), &named) == 0 && ours.st_ino == named.st_ino &&
            ours.st_dev == named.st_dev)
            return std::move(*fd);
    }
}

Result flush_directory_of(const std::string& path)
{
    const auto slash = path.rfind('/');
    const auto directory = slash == path.npos ? "." : path.substr(0, slash + 1);
    const auto fd = open_file(directory, O_RDONLY | O_DIRECTORY);
    if (!fd || ::fsync(fd->get()) != 0)
        return std::unexpected(SystemError::last("fsync", directory).message());
    return {};
}

} // namespace

std::expected<FileEdit, std::string> FileEdit::open(std::string path)
{
    auto temporary = open_locked(path + std::string(kSuffix));
    if (!temporary)
        return std::unexpected(temporary.error());
    auto text = read_file(path);
    if (!text) {
        ::unlink((path + std::string(kSuffix)).c_str());
        return std::unexpected(fmt::format("open {} for reading: {}", path, errno_text(text.error().code)));
    }
    return FileEdit(std::move(path), std::move(*text), std::move(*temporary));
}

FileEdit::~FileEdit()
{
    if (temporary_)
        ::unlink((path_ + std::string(kSuffix)).c_str());
}

Result FileEdit::commit(std::string_view new_text)
{
    const auto name = path_ + std::string(kSuffix);
    const auto failed = [&](std::string_view operation) {
        return std::unexpected(SystemError::last(operation, name).message());
    };
    struct stat old{};
    if (::stat(path_.c_str(), &old) != 0)
        return std::unexpected(SystemError::last("stat", path_).message());
    if (::ftruncate(temporary_.get(), 0) != 0)
        return failed("truncate");
    if (auto good = write_all(temporary_.get(), new_text, name); !good)
        return std::unexpected(good.error().message());
    if (::geteuid() == 0 && ::fchown(temporary_.get(), old.st_uid, old.st_gid) != 0)
        return failed("chown");
    if (::fchmod(temporary_.get(), old.st_mode & 07777) != 0)
        return failed("chmod");
    if (::fsync(temporary_.get()) != 0)
        return failed("fsync");
    if (::rename(name.c_str(), path_.c_str()) != 0)
        return failed("rename");
    temporary_.reset();
    return flush_directory_of(path_);
}

} // namespace facteur::postconf
