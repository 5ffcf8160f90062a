// The life of a message in the queue: activated, resolved into entries, delivered, and at the end of a round removed,
// deferred or returned. The round ends when the scheduler has given every entry back.
#pragma once

#include "daemons/qmgr/file_facts.h"
#include "daemons/qmgr/index.h"
#include "daemons/qmgr/priorities.h"
#include "daemons/qmgr/scheduler.h"
#include "daemons/qmgr/settings.h"
#include "ipc/rewrite_client.h"
#include "queue/journal.h"
#include "queue/outcomes.h"
#include "queue/queue_file.h"
#include "queue/record_reader.h"
#include "queue/spool.h"

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace facteur::queue {
class AbandonedSlot;
struct Replay;
} // namespace facteur::queue

namespace facteur::qmgr {

class QueueManager final : private Scheduler::Owner, private event::TurnEnd {
public:
    QueueManager(event::Loop& loop, event::WorkerPool& pool, const config::Config& config, const Settings& settings,
                 const queue::Spool& spool, Priorities& priorities, std::unique_ptr<queue::Journal> journal);

    // --- what happens to the queue ---
    // Answers at once, or, for a message without a file, when its record is not needed any more.
    using Answer = std::function<void(const ipc::ArrivedReply&)>;
    void arrived(ipc::Arrived arrival, Answer answer);
    // A scan met a file. True when the message is known; `round` marks it as still there.
    bool knows(Place place, const std::string& id, std::uint32_t round);
    // It was not: what its files say makes it join the queue.
    void met(const FileFacts& facts, std::uint32_t round);
    void finish_scan(std::uint32_t round); // those not met any more are forgotten
    void changed(const ipc::QueueChange& change);
    void flush_all(); // everything is due now, and dead destinations get a chance

    // Every message that has no file gets one, or this one: somebody is about to look.
    void make_files();
    void make_file_of(std::string_view id);
    // What queue managers, cleanups and agents that died have left to be settled.
    event::Task<void> settle_losses();

    // Starts what is due and what has room. Also called by itself when something ends.
    void run_due();

    void retire(); // begins no more deliveries
    // Ends the round of running deliveries as far as they get, then puts the journal away.
    event::Task<void> drain();

    [[nodiscard]] const MessageIndex& index() const { return index_; }
    [[nodiscard]] const queue::Spool& spool() const { return spool_; }
    [[nodiscard]] const Scheduler& scheduler() const { return scheduler_; }

private:
    // One that an earlier queue manager was told of.
    struct Returned {
        ipc::Arrived arrival;
        Answer answer;
    };
    struct LeftBehind;
    enum class Release { not_needed, make_file };

    void entry_answered(Entry entry, const ipc::DeliverReply& reply) override;
    void entry_lost(Entry entry) override;
    void entry_suspended(Entry entry, const ipc::Dsn& why) override;
    [[nodiscard]] std::size_t active_count() const override { return active_count_; }
    void turn_ended() override;

    bool activate(const MessagePtr& message, std::unique_ptr<Active> prepared);
    std::unique_ptr<Active> read_file(Message& message, Place place);
    void line_up(const MessagePtr& message, Place place);
    void take_over(const MessagePtr& message, bool busy);
    void call_off(const MessagePtr& message);
    event::Task<void> route(MessagePtr message);
    event::Task<void> resolve_one(MessagePtr message, std::uint32_t index, struct Routing& routing);
    void make_entries(const MessagePtr& message, struct Routing& routing);
    bool may_leave_now(const MessagePtr& message, const struct Routing& routing);
    static void note_reason(Active& active, std::uint32_t number, std::string_view reason);
    void settle(const Entry& entry);
    void note_done(const std::string& id, std::uint64_t state);
    [[nodiscard]] ipc::BounceFlush::Kind failure_notice(const Active& active) const;
    [[nodiscard]] std::int64_t next_try(const Message& message) const;
    void remember_pending(Message& message);
    void close_entry(const MessagePtr& message);
    event::Task<void> end_round(MessagePtr message);
    event::Task<bool> send_notices(MessagePtr message);
    event::Task<bool> flush_log(ipc::Client& service, ipc::BounceFlush::Kind kind, MessagePtr message);
    bool look_for(const std::string& id);
    void put_off(const MessagePtr& message);
    void file_gone(const MessagePtr& message);
    void remove(const MessagePtr& message);
    void corrupt(const MessagePtr& message);
    void forget(const MessagePtr& message);
    [[nodiscard]] bool expired(const Message& message) const;
    void wake_at_next_due();
    // --- messages without a file ---
    void keep_without_file(const MessagePtr& message);
    void watch_fileless();
    void give_files_to_old();
    bool make_file(const MessagePtr& message, Place place);
    event::Task<bool> file_needed(MessagePtr message);
    void release_record(Active& active, Release how);
    void leave_files();
    void look_again();
    bool take_back(const Returned& returned, const queue::Replay& known);
    event::Task<void> empty_slot(const queue::AbandonedSlot& slot,
                                 const std::expected<std::vector<std::string>, SystemError>& orphans);
    void meet_file(const std::string& id);

    event::Loop& loop_;
    event::WorkerPool& pool_;
    const Settings& settings_;
    const queue::Spool& spool_;
    Priorities& priorities_;
    std::unique_ptr<queue::Journal> journal_;
    MessageIndex index_;
    Scheduler scheduler_;
    ipc::RewriteClient rewrite_;
    ipc::Client bounce_;
    ipc::Client defer_;
    ipc::Client trace_;
    std::deque<std::weak_ptr<Message>> waiting_; // incoming messages that found the active queue full
    std::vector<MessagePtr> removing_;           // files to unlink once the journal knows
    std::size_t active_count_ = 0;
    std::int64_t last_run_ = 0; // wall clock, seconds
    bool draining_ = false;
    bool turn_to_deferred_ = false;
    bool run_again_ = false; // posted
    std::unique_ptr<event::Loop::Timer> due_timer_;
    queue::RecordReader records_;
    std::deque<std::pair<event::Clock::time_point, std::weak_ptr<Message>>> fileless_; // oldest first
    std::uint64_t fileless_bytes_ = 0;
    event::Clock::time_point files_fail_until_;
    std::unique_ptr<event::Loop::Timer> fileless_timer_;
    std::vector<Returned> returned_;
    queue::Outcomes outcomes_; // of agents whose queue manager died
    bool settling_ = false;
    event::Condition settled_;
    std::unique_ptr<event::Loop::Timer> settle_timer_;
};

} // namespace facteur::qmgr
