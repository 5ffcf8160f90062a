#include "base/log.h"
#include "daemons/qmgr/now.h"
#include "daemons/qmgr/queue_manager.h"
#include "queue/recovery.h"

#include <algorithm>
#include <cerrno>

// Messages without a queue file: the record in a journal of cleanup is all there is of them. They get a file when they
// outlive a moment, and before anything happens that needs one. And what queue managers and cleanups that died have
// left. docs/adr/0007-messages-without-a-file.md
namespace facteur::qmgr {

namespace {

constexpr milliseconds kLook{250};
constexpr std::chrono::milliseconds kMoment{1000};
constexpr std::uint64_t kMostBytes = 128 << 20; // in journals that cannot be used again meanwhile
constexpr seconds kPause{5};                    // before a file that could not be made is tried again

} // namespace

void QueueManager::keep_without_file(const MessagePtr& message)
{
    fileless_bytes_ += message->active->fileless->record.size;
    fileless_.emplace_back(event::Clock::now(), message);
    while (fileless_bytes_ > kMostBytes && !fileless_.empty()) {
        const MessagePtr oldest = fileless_.front().second.lock();
        fileless_.pop_front();
        if (oldest && oldest->active && oldest->active->fileless && !make_file(oldest, Place::active)) {
            fileless_.emplace_back(event::Clock::now(), oldest);
            break;
        }
    }
    watch_fileless();
}

void QueueManager::watch_fileless()
{
    if (!fileless_timer_ && !fileless_.empty())
        fileless_timer_ = loop_.call_at(event::Clock::now() + kLook, [this] {
            fileless_timer_.reset();
            give_files_to_old();
            watch_fileless();
        });
}

void QueueManager::give_files_to_old()
{
    const auto now = event::Clock::now();
    std::vector<MessagePtr> failed;
    while (!fileless_.empty() && now - fileless_.front().first >= kMoment) {
        const MessagePtr message = fileless_.front().second.lock();
        fileless_.pop_front();
        if (message && message->active && message->active->fileless && !make_file(message, Place::active))
            failed.push_back(message);
    }
    for (const auto& message : failed) // again after a while
        fileless_.emplace_back(now + kPause, message);
}

void QueueManager::make_files()
{
    for (const auto& [when, weak] : std::exchange(fileless_, {})) {
        const MessagePtr message = weak.lock();
        if (message && message->active && message->active->fileless && !make_file(message, Place::active))
            fileless_.emplace_back(when, message);
    }
    watch_fileless();
}

void QueueManager::make_file_of(std::string_view id)
{
    const MessagePtr message = index_.find(id);
    if (message && message->active && message->active->fileless)
        make_file(message, Place::active);
}

// A failure is logged, and leaves the message as it is.
bool QueueManager::make_file(const MessagePtr& message, Place place)
{
    Active& active = *message->active;
    auto bytes = records_.read(active.fileless->record, message->id);
    if (!bytes) {
        log::warning("{}: {}", message->id, bytes.error().message());
        return false;
    }
    std::set<std::uint32_t> done;
    for (std::uint32_t i = 0; i < active.done.size(); ++i)
        if (active.done[i])
            done.insert(i);
    queue::mark_done(*bytes, {}, done);
    auto file = queue::make_queue_file(spool_, queue_name(place), message->id, *bytes);
    if (!file) {
        log::warning("{}: {}", message->id, file.error().message());
        files_fail_until_ = event::Clock::now() + kPause;
        return false;
    }
    message->place = place;
    if (active.with_agents > 0)
        active.kept = std::move(*file);
    release_record(active, Release::not_needed);
    return true;
}

// Until it works; the message is safe in the journal. False: we have to end before, and cleanup takes it back.
event::Task<bool> QueueManager::file_needed(MessagePtr message)
{
    while (message->active->fileless && !make_file(message, Place::active)) {
        if (draining_) {
            release_record(*message->active, Release::make_file);
            co_return false;
        }
        co_await loop_.sleep(kPause);
    }
    co_return true;
}

void QueueManager::release_record(Active& active, Release how)
{
    if (!active.fileless)
        return;
    const auto fileless = std::move(active.fileless);
    fileless_bytes_ -= fileless->record.size;
    ipc::ArrivedReply reply;
    reply.set_make_file(how == Release::make_file);
    // Messages and deliveries are not the same, but nearly so when there are many of both.
    const auto waiting = static_cast<long>(active_count_) - scheduler_.in_flight();
    reply.set_crowded(waiting * 4 > static_cast<long>(active_count_));
    fileless->answer(reply);
}

// Our successor must find everything in the directories. What agents are at stays locked for them: it comes back when
// they are done.
void QueueManager::leave_files()
{
    for (const auto& [when, weak] : std::exchange(fileless_, {})) {
        const MessagePtr message = weak.lock();
        if (!message || !message->active || !message->active->fileless || make_file(message, Place::incoming))
            continue;
        release_record(*message->active, Release::make_file);
        message->active->removed = true; // not ours any more
    }
    ipc::ArrivedReply make_file;
    make_file.set_make_file(true);
    for (const auto& each : std::exchange(returned_, {}))
        each.answer(make_file);
}

// --- after a loss ---

struct QueueManager::LeftBehind {
    std::expected<queue::OutcomeReading, SystemError> agents;
    std::expected<queue::Replay, SystemError> known; // by queue managers
    struct Slot {
        queue::AbandonedSlot slot;
        std::expected<std::vector<std::string>, SystemError> orphans;
    };
    std::vector<Slot> slots; // of cleanups
};

event::Task<void> QueueManager::settle_losses()
{
    if (settling_) {
        co_await settled_.wait();
        co_return;
    }
    if (returned_.empty() && !queue::abandoned("cleanup") && !queue::outcomes_left())
        co_return;
    settling_ = true;
    std::vector<Returned> returned = std::exchange(returned_, {}); // all told before what is read now was written
    const auto& spool = spool_;
    LeftBehind left = co_await pool_.run([&spool] {
        LeftBehind found;
        found.agents = queue::read_outcomes();
        auto slots = queue::AbandonedSlot::take_all("cleanup");
        found.known = queue::read_slots("qmgr");
        if (found.known)
            for (auto& slot : slots) {
                auto orphans = slot.orphans(spool, *found.known);
                found.slots.push_back({std::move(slot), std::move(orphans)});
            }
        return found;
    });
    if (left.agents && left.known) {
        for (const auto& [id, numbers] : left.agents->outcomes.done) {
            outcomes_.done[id].insert(numbers.begin(), numbers.end());
            queue::mark_in_file(spool_, id, {}, numbers);
        }
        outcomes_.busy = left.agents->outcomes.busy;
        std::erase_if(returned, [&](const Returned& each) { return take_back(each, *left.known); });
        for (const auto& each : left.slots)
            co_await empty_slot(each.slot, each.orphans);
        if (outcomes_.busy.empty())
            queue::forget_outcomes(left.agents->finished);
    } else {
        log::warning("{}", (left.agents ? left.known.error() : left.agents.error()).message());
    }
    settling_ = false;
    settled_.notify_all();
    for (auto& each : returned)
        returned_.push_back(std::move(each));
    if (draining_)
        leave_files();
    else if (!returned_.empty())
        look_again();
    run_due();
}

void QueueManager::look_again()
{
    if (!settle_timer_)
        settle_timer_ = loop_.call_at(event::Clock::now() + kMoment, [this] {
            settle_timer_.reset();
            event::spawn(settle_losses());
        });
}

// A message that an earlier queue manager was told of. False: it cannot be decided yet.
bool QueueManager::take_back(const Returned& returned, const queue::Replay& known)
{
    const std::string& id = returned.arrival.queue_id();
    if (outcomes_.busy.contains(id))
        return false;
    const auto& record = returned.arrival.record();
    const MessagePtr here = index_.find(id);
    if (here && here->active && here->active->fileless) {
        here->active->fileless->answer = returned.answer; // only the stream was lost
        return true;
    }
    if (!here) // the one that died may have been making the file
        queue::clear_unfinished(spool_, id);
    if (!here && !known.removed.contains(id) && !spool_.find(id)) {
        auto bytes = records_.read({record.segment(), record.offset(), record.size()}, id);
        const auto made = bytes ? queue::file_record(spool_, id, std::move(*bytes), known, outcomes_)
                                : std::unexpected(bytes.error());
        if (!made) {
            log::warning("{}: {}", id, made.error().message());
            return false;
        }
    }
    returned.answer({});
    meet_file(id);
    return true;
}

event::Task<void> QueueManager::empty_slot(const queue::AbandonedSlot& slot,
                                           const std::expected<std::vector<std::string>, SystemError>& orphans)
{
    if (!orphans) {
        log::warning("{}: {}", slot.name(), orphans.error().message());
        co_return;
    }
    std::vector<std::string> without;
    for (const auto& id : *orphans) {
        const MessagePtr here = index_.find(id);
        const bool fileless = here && here->active && here->active->fileless;
        if (outcomes_.busy.contains(id) || (fileless && !make_file(here, Place::active)))
            co_return; // another time
        if (!here) {
            queue::clear_unfinished(spool_, id);
            without.push_back(id);
        }
    }
    const auto& spool = spool_;
    const auto& outcomes = outcomes_;
    const auto emptied = co_await pool_.run([&] { return slot.empty(spool, without, outcomes); });
    if (!emptied) {
        log::warning("{}: {}", slot.name(), emptied.error().message());
        co_return;
    }
    if (!without.empty())
        log::info("{}: {} messages of a lost cleanup process taken over", slot.name(), without.size());
    std::ranges::for_each(without, [this](const std::string& id) { meet_file(id); });
}

void QueueManager::meet_file(const std::string& id)
{
    if (!index_.find(id) && spool_.find(id) == queue::kIncoming)
        met(read_facts(spool_, Place::incoming, id), 0);
}

} // namespace facteur::qmgr
