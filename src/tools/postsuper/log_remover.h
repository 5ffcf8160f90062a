// Removes the logs of messages that are removed, on a thread of its own: a file system may wait for the disk at each
// file, and a message has at least one log. One lives as long as a large removal.
#pragma once

#include "queue/spool.h"

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace facteur::postsuper {

// What could not be removed, but for logs that are not there.
std::vector<SystemError> remove_logs(const queue::Spool& spool, const std::string& id);

class LogRemover {
public:
    explicit LogRemover(const queue::Spool& spool);
    ~LogRemover() { finish(); }
    LogRemover(const LogRemover&) = delete;
    LogRemover& operator=(const LogRemover&) = delete;

    void remove(const std::string& id);
    // Waits until all are removed; what could not be.
    std::vector<SystemError> finish();

private:
    void work();
    void hand_over();

    const queue::Spool& spool_;
    std::vector<std::string> gathered_; // not handed over yet
    std::mutex mutex_;                  // of what follows
    std::condition_variable changed_;
    std::vector<std::string> waiting_;
    std::vector<SystemError> failures_;
    bool ends_ = false;
    std::thread thread_;
};

} // namespace facteur::postsuper
