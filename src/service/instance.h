// Is an instance running? Its master holds locks on queue_directory/pid/master.pid and data_directory/master.lock for
// as long as it lives. Source: master(8).
#pragma once

#include "base/error.h"
#include "base/fd.h"

#include <sys/types.h>

#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace facteur::service {

inline constexpr std::string_view kMasterPidFile = "pid/master.pid"; // below the queue directory
inline constexpr std::string_view kMasterLockFile = "master.lock";   // below the data directory

// An exclusive lock on a file, held until destroyed.
class InstanceLock {
public:
    // SystemError.operation tells what failed: "open" or "flock" (EWOULDBLOCK: another process holds it).
    static std::expected<InstanceLock, SystemError> acquire(const std::string& path);
    // The process id right-justified in 32 columns, as scripts that read the file expect it.
    [[nodiscard]] std::expected<void, SystemError> write_pid(pid_t pid) const;

private:
    InstanceLock(UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
    UniqueFd fd_;
    std::string path_;
};

// True when some process holds the lock; a file that is not there is not locked.
[[nodiscard]] bool is_locked(const std::string& path);

// The master's process id while it runs; nothing when the instance is down. 0: running, but the file says no number.
[[nodiscard]] std::optional<pid_t> running_master(const std::string& queue_directory);

} // namespace facteur::service
