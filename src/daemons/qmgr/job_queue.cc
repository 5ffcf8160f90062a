#include "daemons/qmgr/job_queue.h"

#include <algorithm>
#include <deque>
#include <tuple>

namespace facteur::qmgr {

namespace {
constexpr std::size_t kShortLine = 64;         // so many jobs are searched for a candidate each time
constexpr std::int64_t kSearchInterval = 1000; // milliseconds between searches of a longer line
} // namespace

// What one message has waiting for one lane.
struct Peer {
    JobQueue::Job* job;
    std::deque<Entry> entries;
};

struct JobQueue::Job {
    const Message* message;
    Priority priority;
    double position;
    std::int64_t since;
    std::size_t waiting = 0;  // entries
    std::size_t selected = 0; // entries that left
    double spent = 0;         // slots that others used to overtake this job
    std::map<Lane*, Peer> peers;

    [[nodiscard]] std::size_t total() const { return waiting + selected; }
};

bool JobQueue::ByOrder::operator()(const Job* a, const Job* b) const
{
    return std::tie(a->priority, a->position) < std::tie(b->priority, b->position);
}

bool JobQueue::ByReadiness::operator()(const Lane* a, const Lane* b) const
{
    const LaneKey& first = a->peers.begin()->first;
    const LaneKey& second = b->peers.begin()->first;
    return std::tie(first, a->served, a) < std::tie(second, b->served, b);
}

JobQueue::JobQueue(const SlotRules& rules) : rules_(rules) {}

JobQueue::~JobQueue() = default;

JobQueue::Job& JobQueue::job_of(const Entry& entry, Priority priority, std::int64_t now)
{
    auto& slot = by_message_[entry.message.get()];
    if (!slot) {
        slot = std::make_unique<Job>(Job{entry.message.get(), priority, ++last_position_, now, 0, 0, 0, {}});
        order_.insert(slot.get());
    }
    return *slot;
}

void JobQueue::leave_ready(Lane& lane)
{
    if (lane.ready)
        ready_.erase(&lane);
    lane.ready = false;
}

void JobQueue::join_ready(Lane& lane)
{
    lane.ready = lane.open && !lane.peers.empty();
    if (lane.ready)
        ready_.insert(&lane);
}

void JobQueue::push(Lane& lane, Entry entry, Priority priority, std::int64_t now)
{
    Job& job = job_of(entry, priority, now);
    const auto [found, added] = job.peers.try_emplace(&lane, Peer{&job, {}});
    found->second.entries.push_back(std::move(entry));
    ++job.waiting;
    ++lane.waiting;
    if (added) {
        leave_ready(lane);
        lane.peers.emplace(LaneKey{job.priority, job.position}, &found->second);
        join_ready(lane);
    }
}

void JobQueue::drop_peer(Job& job, Lane& lane)
{
    lane.peers.erase({job.priority, job.position});
    job.peers.erase(&lane);
}

void JobQueue::drop_job_if_empty(Job& job)
{
    if (job.waiting > 0)
        return;
    if (searched_for_ == &job)
        searched_for_ = nullptr;
    order_.erase(&job);
    by_message_.erase(job.message);
}

std::optional<JobQueue::Next> JobQueue::pop(std::int64_t now)
{
    if (ready_.empty())
        return std::nullopt;
    let_overtake(now);
    Lane& lane = **ready_.begin();
    leave_ready(lane);
    Peer& peer = *lane.peers.begin()->second;
    Job& job = *peer.job;
    Next next{&lane, std::move(peer.entries.front())};
    peer.entries.pop_front();
    --job.waiting;
    ++job.selected;
    --lane.waiting;
    lane.served = ++ticks_;
    if (peer.entries.empty())
        drop_peer(job, lane);
    join_ready(lane);
    drop_job_if_empty(job);
    return next;
}

void JobQueue::set_open(Lane& lane, bool open)
{
    if (lane.open == open)
        return;
    leave_ready(lane);
    lane.open = open;
    join_ready(lane);
}

std::vector<Entry> JobQueue::take_lane(Lane& lane)
{
    std::vector<Entry> taken;
    leave_ready(lane);
    while (!lane.peers.empty()) {
        Peer& peer = *lane.peers.begin()->second;
        Job& job = *peer.job;
        job.waiting -= peer.entries.size();
        for (Entry& entry : peer.entries)
            taken.push_back(std::move(entry));
        drop_peer(job, lane);
        drop_job_if_empty(job);
    }
    lane.waiting = 0;
    return taken;
}

std::vector<Entry> JobQueue::take_message(const Message* message)
{
    std::vector<Entry> taken;
    const auto found = by_message_.find(message);
    if (found == by_message_.end())
        return taken;
    Job& job = *found->second;
    while (!job.peers.empty()) {
        Lane& lane = *job.peers.begin()->first;
        Peer& peer = job.peers.begin()->second;
        leave_ready(lane);
        lane.waiting -= peer.entries.size();
        for (Entry& entry : peer.entries)
            taken.push_back(std::move(entry));
        drop_peer(job, lane);
        join_ready(lane);
    }
    job.waiting = 0;
    drop_job_if_empty(job);
    return taken;
}

// --- overtaking ---

// A job that was served earns a slot every `cost` entries. A shorter one behind it may go first when the slots that are
// there, with the loan, pay for its entries, less the discount; but never for more than the job can earn in all.
void JobQueue::let_overtake(std::int64_t now)
{
    if (rules_.cost < 2)
        return; // overtaking is off
    Job& current = *(*ready_.begin())->peers.begin()->second->job;
    const auto cost = static_cast<double>(rules_.cost);
    const double most = static_cast<double>(current.total()) / cost - current.spent;
    if (most < static_cast<double>(rules_.minimum))
        return;
    const double earned = static_cast<double>(current.selected) / cost - current.spent;
    const double share = 1 - static_cast<double>(rules_.discount) / 100;
    const double affordable = earned + static_cast<double>(rules_.loan);
    const double slots = share > 0 ? std::min(most, affordable / share) : affordable > 0 ? most : 0;
    if (slots < 1)
        return;
    if (order_.size() > kShortLine && searched_for_ == &current && now - searched_ < kSearchInterval)
        return;
    searched_ = now;
    searched_for_ = &current;
    Job* const candidate = best_candidate(current, slots, now);
    if (!candidate)
        return;
    current.spent += static_cast<double>(candidate->waiting);
    move_before(*candidate, current);
}

// The one that waited longest for its size.
JobQueue::Job* JobQueue::best_candidate(const Job& current, double slots, std::int64_t now) const
{
    Job* best = nullptr;
    double best_score = 0;
    for (auto at = order_.upper_bound(const_cast<Job*>(&current)); at != order_.end(); ++at) {
        Job& job = **at;
        if (job.priority != current.priority)
            break;
        if (static_cast<double>(job.waiting) > slots)
            continue;
        const double score = static_cast<double>(now - job.since + 1) / static_cast<double>(job.waiting);
        if (score <= best_score)
            continue;
        const bool can_go = std::ranges::any_of(job.peers, [](const auto& each) { return each.first->open; });
        if (can_go) {
            best = &job;
            best_score = score;
        }
    }
    return best;
}

void JobQueue::move_before(Job& job, const Job& before)
{
    double position = position_before(before);
    if (position >= before.position) {
        renumber();
        position = position_before(before);
    }
    for (auto& [lane, peer] : job.peers) {
        leave_ready(*lane);
        lane->peers.erase({job.priority, job.position});
    }
    order_.erase(&job);
    job.position = position;
    order_.insert(&job);
    for (auto& [lane, peer] : job.peers) {
        lane->peers.emplace(LaneKey{job.priority, job.position}, &peer);
        join_ready(*lane);
    }
}

// Between the job and the one in front of it; the job's own position when there is no number between the two.
double JobQueue::position_before(const Job& job) const
{
    const auto place = order_.find(const_cast<Job*>(&job));
    const Job* const previous = place == order_.begin() ? nullptr : *std::prev(place);
    if (!previous || previous->priority != job.priority)
        return job.position - 1;
    const double middle = (previous->position + job.position) / 2;
    return middle > previous->position && middle < job.position ? middle : job.position;
}

// Halving the gap between two jobs ends somewhere: spread them out again. The order stays, so the sets that are sorted
// by it stay valid; only the lanes' keys are made anew.
void JobQueue::renumber()
{
    std::set<Lane*> lanes;
    for (Job* job : order_)
        for (auto& [lane, peer] : job->peers) {
            leave_ready(*lane);
            lane->peers.clear();
            lanes.insert(lane);
        }
    std::vector<Job*> line(order_.begin(), order_.end());
    order_.clear();
    last_position_ = 0;
    for (Job* job : line) {
        job->position = ++last_position_;
        order_.insert(order_.end(), job);
        for (auto& [lane, peer] : job->peers)
            lane->peers.emplace(LaneKey{job->priority, job->position}, &peer);
    }
    for (Lane* lane : lanes)
        join_ready(*lane);
}

} // namespace facteur::qmgr
