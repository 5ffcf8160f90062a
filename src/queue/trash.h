// Where messages go that are removed many at a time. They leave their queue with one step for a whole hash directory;
// the disk gives up their files afterwards, when nobody waits for it. What lies here is in no queue.
// Layout: docs/formats/journal.md.
#pragma once

#include "base/error.h"
#include "base/fd.h"
#include "queue/spool.h"

#include <expected>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::queue {

inline constexpr std::array kLogQueues{kBounce, kDefer, kTrace};

// One removal's part of it. Nobody empties it before it is destroyed.
class Trash {
public:
    // Errors: there is no room, or no queue manager ever ran here.
    static std::expected<Trash, SystemError> open();

    // Takes the hash directories of the queue, and leaves empty ones; the messages that were in them. What is no
    // message is put back. Nothing of a queue that is not hashed, and where the file system cannot do it.
    std::vector<std::string> take_directories(std::string_view queue);
    // ENOENT: it is not there.
    std::expected<void, SystemError> take(const Spool& spool, std::string_view queue, std::string_view id);

private:
    Trash(std::string path, UniqueFd lock) : path_(std::move(path)), lock_(std::move(lock)) {}
    void list(const std::string& directory, const std::string& origin, std::vector<std::string>& ids);

    std::string path_;
    UniqueFd lock_;
};

bool trash_is_empty();
// Removes the files, the logs of these messages before. Goes on after an error; the first one. May take minutes.
std::expected<void, SystemError> empty_trash(const Spool& spool, const std::stop_token& stop);

// What could not be removed, but for logs that are not there.
std::vector<SystemError> remove_logs(const Spool& spool, const std::string& id);

} // namespace facteur::queue
