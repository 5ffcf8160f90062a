// What postsuper does to one message, or to all of some queues: it changes the files, and notes what the queue manager
// must be told. A message may move while we look for it, so every search is made twice.
#pragma once

#include "ipc/messages.pb.h"
#include "queue/spool.h"
#include "queue/trash.h"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::postsuper {

enum class Operation { requeue, remove, expire, expire_and_release, hold, release };

using QueueNames = std::vector<std::string_view>;

enum class Mode { perform, rehearse }; // rehearse: --dry-run, count what would be done

class Operations {
public:
    struct Plan {
        Mode mode = Mode::perform;
        // Which of the messages named: all when empty.
        std::function<bool(std::string_view queue, const std::string& id)> chosen;
        // Told of every deed, done or rehearsed. May be empty.
        std::function<void(Operation operation, std::string_view queue, const std::string& id)> each;
        // Told what the queue manager must hear. May be empty.
        std::function<void(ipc::QueueChange::Operation change, const std::string& id)> changed;
        // Somebody will empty the trash: many messages may be put there instead of removing each.
        bool trash = false;
    };
    explicit Operations(const queue::Spool& spool) : spool_(spool) {}
    Operations(const queue::Spool& spool, Plan plan) : spool_(spool), plan_(std::move(plan)) {}

    // The queues in which an operation looks when the user names none.
    static QueueNames default_queues(Operation operation);

    void one(Operation operation, const std::string& id, const QueueNames& queues); // logs what it did
    void all(Operation operation, const QueueNames& queues);

    struct Counts {
        int requeued = 0;
        int removed = 0;
        int expired = 0;
        int held = 0;
        int released = 0;
    };
    [[nodiscard]] const Counts& counts() const { return counts_; }
    [[nodiscard]] bool trash_filled() const { return trash_filled_; }

private:
    enum class Report { each, none };
    struct Found {
        std::string id;
        std::string_view queue;
    };
    [[nodiscard]] std::vector<Found> find_all(Operation operation, const QueueNames& queues) const;
    bool apply(Operation operation, const std::string& id, std::string_view queue, Report report);
    bool perform(Operation operation, const std::string& id, std::string_view queue, Report report);
    bool rehearse(Operation operation, const std::string& id, std::string_view queue);
    bool remove(const std::string& id, std::string_view queue, Report report);
    void note_removed(const std::string& id);
    void throw_directories_away(const QueueNames& queues);
    bool expire(const std::string& id, std::string_view queue, Report report);
    bool move(const std::string& id, std::string_view from, std::string_view to);
    bool requeue(const std::string& id, std::string_view queue, Report report);
    bool hold(const std::string& id, std::string_view queue, Report report);
    bool release(const std::string& id, std::string_view queue, Report report);
    void changed(ipc::QueueChange::Operation change, const std::string& id) const;

    const queue::Spool& spool_;
    Plan plan_;
    Counts counts_;
    std::optional<queue::Trash> trash_; // while many are removed
    bool trash_filled_ = false;
};

} // namespace facteur::postsuper
