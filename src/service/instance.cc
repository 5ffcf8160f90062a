#include "service/instance.h"

#include "base/text.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace facteur::service {

std::expected<InstanceLock, SystemError> InstanceLock::acquire(const std::string& path)
{
    auto fd = open_file(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    if (!fd)
        return std::unexpected(fd.error());
    if (::flock(fd->get(), LOCK_EX | LOCK_NB) != 0)
        return std::unexpected(SystemError::last("flock", path));
    return InstanceLock(std::move(*fd), path);
}

std::expected<void, SystemError> InstanceLock::write_pid(pid_t pid) const
{
    if (::ftruncate(fd_.get(), 0) != 0 || ::lseek(fd_.get(), 0, SEEK_SET) != 0)
        return std::unexpected(SystemError::last("truncate", path_));
    return write_all(fd_.get(), fmt::format("{:>32}\n", pid), path_);
}

bool is_locked(const std::string& path)
{
    // Read-only is enough for a lock, and works for a user who may not write the file.
    const auto fd = open_file(path, O_RDONLY);
    if (!fd)
        return false;
    return ::flock(fd->get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

std::optional<pid_t> running_master(const std::string& queue_directory)
{
    const std::string path = queue_directory + "/" + std::string(kMasterPidFile);
    if (!is_locked(path))
        return std::nullopt;
    const auto content = read_file(path, 1024);
    if (!content)
        return 0;
    return static_cast<pid_t>(text::to_long(text::trim(*content)).value_or(0));
}

} // namespace facteur::service
