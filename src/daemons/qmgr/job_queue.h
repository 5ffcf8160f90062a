// The order in which the waiting entries of one transport leave. Pure: no clock, no input or output.
//
// What one message has for this transport is a job. Jobs stand in a line: by priority, then by arrival. The next entry
// is the first one, in that order, whose destination (its lane) can take a delivery now; a job with several open lanes
// serves them in turn. So that a message to a hundred thousand recipients does not hold up the short ones behind it, a
// job earns delivery slots while it is served, and a short job may spend them to overtake. Source: SCHEDULER_README.
#pragma once

#include "daemons/qmgr/destination.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

namespace facteur::qmgr {

class JobQueue {
public:
    explicit JobQueue(const SlotRules& rules); // which must outlive it
    ~JobQueue();
    JobQueue(const JobQueue&) = delete;
    JobQueue& operator=(const JobQueue&) = delete;

    // Adds an entry to its message's job. `now` in milliseconds, any epoch. The lane must outlive its entries.
    void push(Lane& lane, Entry entry, Priority priority, std::int64_t now);

    struct Next {
        Lane* lane;
        Entry entry;
    };
    // The next entry that may leave; nothing when no open lane has one.
    std::optional<Next> pop(std::int64_t now);

    // Whether a delivery to this lane may begin now.
    void set_open(Lane& lane, bool open);
    // All that waits in a lane, in order.
    std::vector<Entry> take_lane(Lane& lane);
    // All that waits of a message.
    std::vector<Entry> take_message(const Message* message);

    [[nodiscard]] bool anything_ready() const { return !ready_.empty(); }
    [[nodiscard]] std::size_t jobs() const { return order_.size(); }

private:
    friend struct Peer;
    struct Job;
    struct ByOrder {
        bool operator()(const Job* a, const Job* b) const;
    };
    struct ByReadiness {
        bool operator()(const Lane* a, const Lane* b) const;
    };

    Job& job_of(const Entry& entry, Priority priority, std::int64_t now);
    void leave_ready(Lane& lane);
    void join_ready(Lane& lane);
    void drop_peer(Job& job, Lane& lane);
    void drop_job_if_empty(Job& job);
    void let_overtake(std::int64_t now);
    Job* best_candidate(const Job& current, double slots, std::int64_t now) const;
    void move_before(Job& job, const Job& before);
    [[nodiscard]] double position_before(const Job& job) const;
    void renumber();

    const SlotRules& rules_;
    std::unordered_map<const Message*, std::unique_ptr<Job>> by_message_;
    std::set<Job*, ByOrder> order_;
    std::set<Lane*, ByReadiness> ready_; // open lanes with something waiting, the one to serve next first
    double last_position_ = 0;
    std::uint64_t ticks_ = 0;
    std::int64_t searched_ = 0;
    const Job* searched_for_ = nullptr;
};

} // namespace facteur::qmgr
