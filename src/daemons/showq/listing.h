// One client's walk through the queue: first what the queue manager knows, page by page, then the files that it does
// not keep (maildrop, hold, incoming). Without a queue manager the files tell everything. Its pages pass through as
// they are, and the next one is on its way while the client reads the last. With a selection, a file is read only when
// the selection asks what the queue manager did not say, and for the messages that are shown.
#pragma once

#include "agent/message_facts.h"
#include "daemons/showq/seen_ids.h"
#include "event/loop.h"
#include "event/task.h"
#include "ipc/client.h"
#include "ipc/messages.pb.h"
#include "ipc/rewrite_client.h"
#include "queue/selection.h"
#include "queue/spool.h"

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::showq {

class Listing {
public:
    // What outlives every listing. The services may be null: without qmgr only files are read, without rewrite no
    // transport is known.
    struct Context {
        event::Loop& loop;
        const queue::Spool& spool;
        ipc::Client* qmgr;
        ipc::RewriteClient* rewrite;
    };
    // `wanted` says which queues; `where`: only these messages; `now` is what ages are counted from.
    Listing(const Context& context, const ipc::ListRequest& wanted, std::optional<queue::Selection> where,
            std::int64_t now);

    // The next page; it may be empty. next_chunk is set by the caller, who asks at_end(); `undecided` counts all so
    // far.
    struct Piece {
        ipc::ListReply reply;
        std::string page;
    };
    event::Task<Piece> next();
    [[nodiscard]] bool at_end() const { return phase_ == Phase::end; }

private:
    enum class Phase { queue_manager, files, end };
    struct File {
        std::string_view queue;
        std::string id;
        std::string path;
    };
    struct Ahead;
    static event::Task<void> ask(ipc::Client& qmgr, ipc::ListRequest request, std::shared_ptr<Ahead> ahead);
    void ask_ahead();
    event::Task<std::string> next_of_queue_manager();
    event::Task<std::string> next_of_files();
    [[nodiscard]] bool wanted(std::string_view queue) const;
    bool note_seen(std::string_view page);
    void gather_files();
    [[nodiscard]] bool follow(File& file) const;
    event::Task<bool> chosen();
    event::Task<void> resolve_transports();
    event::Task<std::string> chosen_of(std::string page);

    Context context_;
    ipc::ListRequest request_; // to the queue manager
    std::optional<queue::Selection> where_;
    agent::MessageFacts facts_;
    std::uint64_t undecided_ = 0;
    Phase phase_;
    bool qmgr_knows_all_ = false;
    bool partial_ = false; // the queue manager was still reading the directories
    bool gathered_ = false;
    std::shared_ptr<Ahead> ahead_; // the page that was asked for
    SeenIds seen_;
    std::deque<File> files_;
};

} // namespace facteur::showq
