// One client's walk through the queue: first what the queue manager knows, chunk by chunk, then the files that it does
// not keep (maildrop, hold, incoming). Without a queue manager the files tell everything. With a selection, a file is
// read only when the selection asks what the queue manager did not say, and for the messages that are shown.
#pragma once

#include "agent/message_facts.h"
#include "event/task.h"
#include "ipc/client.h"
#include "ipc/messages.pb.h"
#include "ipc/rewrite_client.h"
#include "queue/selection.h"
#include "queue/spool.h"

#include <deque>
#include <string>
#include <string_view>
#include <unordered_set>

namespace facteur::showq {

class Listing {
public:
    // The services may be null: without qmgr only files are read, without rewrite no transport is known. They and
    // the spool outlive the listing. `where`: only these messages; `now` is what ages are counted from.
    Listing(const queue::Spool& spool, ipc::Client* qmgr, ipc::RewriteClient* rewrite,
            std::optional<queue::Selection> where, std::int64_t now)
        : spool_(spool), qmgr_(qmgr), rewrite_(rewrite), where_(std::move(where)), facts_(spool, now),
          phase_(qmgr ? Phase::queue_manager : Phase::files)
    {
    }

    // The next entries; with a selection there may be none of a piece. next_chunk is set by the caller, who asks
    // at_end(); `undecided` counts all so far.
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
    event::Task<ipc::ListReply> next_of_files();
    void gather_files();
    event::Task<bool> chosen();
    event::Task<void> resolve_transports();
    event::Task<void> keep_chosen(ipc::ListReply& reply);

    const queue::Spool& spool_;
    ipc::Client* qmgr_;
    ipc::RewriteClient* rewrite_;
    std::optional<queue::Selection> where_;
    agent::MessageFacts facts_;
    std::uint64_t undecided_ = 0;
    Phase phase_;
    bool qmgr_answered_ = false;
    bool gathered_ = false;
    std::string qmgr_last_; // id of the last entry that the queue manager gave
    std::unordered_set<std::string> seen_;
    std::deque<File> files_;
};

} // namespace facteur::showq
