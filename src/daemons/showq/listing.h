// One client's walk through the queue: first what the queue manager knows, chunk by chunk, then the files that it does
// not keep (maildrop, hold, incoming). Without a queue manager the files tell everything.
#pragma once

#include "event/task.h"
#include "ipc/client.h"
#include "ipc/messages.pb.h"
#include "queue/spool.h"

#include <deque>
#include <string>
#include <string_view>
#include <unordered_set>

namespace facteur::showq {

class Listing {
public:
    // qmgr may be null: then only files are read. Both outlive the listing.
    Listing(const queue::Spool& spool, ipc::Client* qmgr)
        : spool_(spool), qmgr_(qmgr), phase_(qmgr ? Phase::queue_manager : Phase::files)
    {
    }

    // The next entries; an empty reply only at the end. next_chunk is set by the caller, who asks at_end().
    event::Task<ipc::ListReply> next();
    [[nodiscard]] bool at_end() const { return phase_ == Phase::end; }

private:
    enum class Phase { queue_manager, files, end };
    struct File {
        std::string_view queue;
        std::string id;
        std::string path;
    };
    event::Task<ipc::ListReply> next_of_queue_manager();
    ipc::ListReply next_of_files();
    void gather_files();

    const queue::Spool& spool_;
    ipc::Client* qmgr_;
    Phase phase_;
    bool qmgr_answered_ = false;
    bool gathered_ = false;
    std::string qmgr_last_; // id of the last entry that the queue manager gave
    std::unordered_set<std::string> seen_;
    std::deque<File> files_;
};

} // namespace facteur::showq
