// The queue directories as files: where a message is, moving it between queues, listing. Paths are relative to the
// queue directory, where every daemon runs (chrooted or not); tools chdir(2) there first.
#pragma once

#include "base/error.h"
#include "base/fd.h"
#include "queue/queue_id.h"

#include <array>
#include <expected>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace facteur::queue {

inline constexpr std::string_view kMaildrop = "maildrop";
inline constexpr std::string_view kIncoming = "incoming";
inline constexpr std::string_view kActive = "active";
inline constexpr std::string_view kDeferred = "deferred";
inline constexpr std::string_view kHold = "hold";
inline constexpr std::string_view kCorrupt = "corrupt";
inline constexpr std::string_view kBounce = "bounce"; // logs for notices, named after the message
inline constexpr std::string_view kDefer = "defer";
inline constexpr std::string_view kTrace = "trace";
inline constexpr std::array kMessageQueues{kIncoming, kActive, kDeferred, kHold};

class Spool {
public:
    // hash_queue_names, hash_queue_depth.
    Spool(std::string_view hashed_queues, int depth);

    // "deferred/5/5A04BA72140": depth directories of one hash digit each for hashed queues.
    [[nodiscard]] std::string path(std::string_view queue, std::string_view id) const;
    // The queue that holds the message, looked for in kMessageQueues order; nothing when none does.
    [[nodiscard]] std::optional<std::string_view> find(std::string_view id) const;

    // rename(2); makes hash directories as needed. ENOENT: it is not there (an administrator took it).
    // EEXIST: `to` has a message of that name already, which is kept.
    std::expected<void, SystemError> move(std::string_view id, std::string_view from, std::string_view to) const;
    std::expected<void, SystemError> remove(std::string_view queue, std::string_view id) const;
    // Creates exclusively, mode 0600, for reading and writing.
    std::expected<UniqueFd, SystemError> create(std::string_view queue, std::string_view id) const;

    // Every file of a queue whose name is a valid id, in directory order; stops when the callback returns false.
    // Other names are passed to `odd` when given.
    std::expected<void, SystemError>
    scan(std::string_view queue, const std::function<bool(const std::string& id, const std::string& path)>& each,
         const std::function<void(const std::string& path)>& odd = {}) const;

    [[nodiscard]] bool hashed(std::string_view queue) const;

private:
    std::set<std::string, std::less<>> hashed_;
    int depth_;
};

} // namespace facteur::queue
