// Removes many messages and their logs, on several threads: a file system may wait for the disk at each file that goes,
// and a message has a log besides. One lives as long as a large removal.
#pragma once

#include "queue/spool.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace facteur::postsuper {

// What could not be removed, but for logs that are not there.
std::vector<SystemError> remove_logs(const queue::Spool& spool, const std::string& id);

class Remover {
public:
    struct Message {
        std::string id;
        std::string_view queue; // of queue::kMaildrop and its kin: text that stays
    };
    struct Result {
        std::vector<Message> removed; // the files are gone, and the logs
        std::vector<SystemError> failures;
    };

    explicit Remover(const queue::Spool& spool);
    ~Remover() { finish(); }
    Remover(const Remover&) = delete;
    Remover& operator=(const Remover&) = delete;

    // Waits while much is under way: a removal that is interrupted leaves few logs behind.
    void remove(Message message);
    // What has become of messages since the last time.
    Result results();
    // Waits until all are removed.
    Result finish();

private:
    using Batch = std::vector<Message>;
    void work();
    void hand_over();
    Result remove_all(Batch batch) const;

    const queue::Spool& spool_;
    Batch gathered_;   // not handed over yet
    std::mutex mutex_; // of what follows
    std::condition_variable changed_;
    std::deque<Batch> waiting_;
    Result result_;
    bool ends_ = false;
    std::vector<std::thread> threads_;
};

} // namespace facteur::postsuper
