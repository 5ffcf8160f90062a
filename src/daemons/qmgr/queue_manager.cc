#include "daemons/qmgr/queue_manager.h"

#include "base/log.h"
#include "base/text.h"
#include "daemons/qmgr/now.h"
#include "ipc/flags.h"
#include "mail/address.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace facteur::qmgr {

QueueManager::QueueManager(event::Loop& loop, event::WorkerPool& pool, const config::Config& config,
                           const Settings& settings, const queue::Spool& spool, Priorities& priorities,
                           std::unique_ptr<queue::Journal> journal)
    : loop_(loop), pool_(pool), settings_(settings), spool_(spool), priorities_(priorities),
      journal_(std::move(journal)), scheduler_(loop, config, settings, *this), rewrite_(loop, settings.rewrite_socket),
      bounce_(loop, settings.bounce_socket), defer_(loop, settings.defer_socket), trace_(loop, settings.trace_socket),
      settled_(loop)
{
}

namespace {

// Of a file that Spool::find() met. One in active that nobody here knows is taken for arriving.
Place place_of(std::string_view queue)
{
    return queue == queue::kHold ? Place::hold : queue == queue::kDeferred ? Place::deferred : Place::incoming;
}

} // namespace

// --- coming in ---

void QueueManager::arrived(ipc::Arrived arrival, Answer answer)
{
    const bool full = active_count_ >= settings_.active_limit || draining_;
    const bool known = index_.find(arrival.queue_id()) != nullptr;
    ipc::ArrivedReply reply;
    reply.set_behind(!waiting_.empty() || full);
    if (arrival.has_record() && arrival.again() && !draining_) {
        returned_.push_back({std::move(arrival), std::move(answer)});
        look_again();
        return;
    }
    // Only what goes out now can do without a file, and only while files can be made. (Known: another message has the
    // same id. It waits for its turn.)
    reply.set_make_file(arrival.has_record() && (full || known || event::Clock::now() < files_fail_until_));
    if (known || reply.make_file()) { // told twice, or a scan was faster
        answer(reply);
        return;
    }
    const MessagePtr message = index_.add(arrival.queue_id());
    message->sender = SharedText(arrival.envelope().sender());
    message->arrival_seconds = arrival.envelope().arrival_seconds();
    message->expire_now = arrival.envelope().expired_by_admin();
    message->size = arrival.content_size();
    message->place = arrival.hold() ? Place::hold : Place::incoming;
    if (arrival.hold() || full) {
        std::vector<PendingRecipient> pending;
        for (const auto& recipient : arrival.envelope().recipients())
            pending.push_back({recipient.address(), {}});
        message->set_pending(pending);
        if (!arrival.hold())
            waiting_.push_back(message);
        answer(reply);
        return;
    }
    auto active = std::make_unique<Active>();
    active->envelope.Swap(arrival.mutable_envelope());
    active->content_offset = arrival.content_offset();
    active->content_size = arrival.content_size();
    active->content_flags = arrival.content_flags();
    active->status_offset = arrival.status_offset();
    if (!arrival.has_record()) {
        answer(reply);
        activate(message, std::move(active));
        return;
    }
    const auto& record = arrival.record();
    active->fileless =
        std::make_unique<Fileless>(Fileless{{record.segment(), record.offset(), record.size()}, std::move(answer)});
    activate(message, std::move(active));
    keep_without_file(message);
}

bool QueueManager::knows(Place place, const std::string& id, std::uint32_t round)
{
    const MessagePtr known = index_.find(id);
    if (!known)
        return false;
    known->seen_in_scan = round;
    // The administrator moved it by hand: hold to deferred, or the other way round.
    if (!known->active && known->place != place && known->place != Place::active && place != Place::active) {
        index_.wake(known);
        known->next_try_seconds = now_seconds();
        line_up(known, place);
    }
    return true;
}

void QueueManager::met(const FileFacts& facts, std::uint32_t round)
{
    if (facts.state == FileFacts::State::gone || index_.find(facts.id))
        return;
    // Left by a queue manager that ended while agents were at it: theirs until they are done.
    if (facts.place == Place::incoming && facts.busy)
        return;
    const MessagePtr message = index_.add(facts.id);
    message->seen_in_scan = round;
    message->place = facts.place;
    if (facts.state == FileFacts::State::corrupt) {
        corrupt(message);
        return;
    }
    message->sender = SharedText(facts.sender);
    message->arrival_seconds = facts.arrival_seconds;
    message->size = facts.size;
    // A time further off than any wait was written by another clock.
    message->next_try_seconds = std::min(facts.next_try_seconds, now_seconds() + settings_.maximal_backoff.count());
    message->expire_now = facts.expire_now;
    std::vector<PendingRecipient> pending;
    for (const auto& recipient : facts.pending)
        pending.push_back({recipient.address, SharedText(recipient.reason)});
    message->set_pending(pending);
    if (facts.place == Place::active)
        take_over(message, facts.busy);
    else
        line_up(message, facts.place);
}

// A message that is not active waits for what its place stands for: its time, room in the active queue, a release.
void QueueManager::line_up(const MessagePtr& message, Place place)
{
    message->place = place;
    if (place == Place::deferred)
        index_.defer(message);
    else if (place == Place::incoming)
        waiting_.push_back(message);
}

// Left by a queue manager that died. An agent may still be at it: it holds a lock on the file then.
void QueueManager::take_over(const MessagePtr& message, bool busy)
{
    const Place place = busy ? Place::deferred : Place::incoming;
    if (!spool_.move(message->id, queue::kActive, queue_name(place))) {
        index_.erase(message);
        return;
    }
    if (busy)
        message->next_try_seconds = now_seconds() + 60;
    line_up(message, place);
}

void QueueManager::finish_scan(std::uint32_t round)
{
    std::vector<MessagePtr> gone;
    index_.each([&](const MessagePtr& message) {
        if (message->seen_in_scan != round && (message->place == Place::deferred || message->place == Place::hold) &&
            ::access(spool_.path(queue_name(message->place), message->id).c_str(), F_OK) != 0)
            gone.push_back(message);
    });
    for (const auto& message : gone)
        index_.erase(message);
    run_due();
}

// --- activation ---

std::unique_ptr<Active> QueueManager::read_file(Message& message, Place place)
{
    const auto file = queue::QueueFile::open_and_read(spool_.path(queue_name(place), message.id));
    if (!file)
        return nullptr;
    auto envelope = file->read_envelope();
    const auto states = file->read_states();
    if (!envelope || !states)
        return nullptr;
    auto active = std::make_unique<Active>();
    active->envelope = std::move(*envelope);
    for (std::size_t i = 0; i < states->size(); ++i)
        active->done.push_back(!queue::is_pending(*states, i));
    active->content_offset = queue::kContentOffset;
    active->content_size = file->header().content_size;
    active->content_flags = file->header().content_flags;
    active->status_offset = file->header().status_offset();
    message.size = active->content_size;
    return active;
}

bool QueueManager::activate(const MessagePtr& message, std::unique_ptr<Active> prepared)
{
    const Place from = message->place;
    // Nothing is to be moved of a message without a file, nor of one that had to wait where it was: the disk was full.
    const bool moves = (!prepared || !prepared->fileless) && from != Place::active;
    const auto moved =
        moves ? spool_.move(message->id, queue_name(from), queue::kActive) : std::expected<void, SystemError>{};
    if (!moved) {
        if (moved.error().code != ENOENT)
            log::warning("{}: {}", message->id, moved.error().message());
        index_.erase(message); // an administrator took it
        return false;
    }
    message->place = Place::active;
    // Reasons of earlier attempts are history: this attempt writes its own.
    if (from == Place::deferred || message->deferral_logged)
        ::unlink(spool_.path(queue::kDefer, message->id).c_str());
    message->deferral_logged = false;
    const bool fresh = prepared != nullptr;
    if (!prepared)
        prepared = read_file(*message, Place::active);
    if (!prepared) {
        corrupt(message);
        return false;
    }
    message->active = std::move(prepared);
    Active& active = *message->active;
    active.since_microseconds = now_microseconds();
    active.done.resize(static_cast<std::size_t>(active.envelope.recipients_size()));
    message->set_pending({});                                // the envelope tells while it is active
    active.may_have_bounced = active.may_be_traced = !fresh; // an earlier round may have been cut short
    ++active_count_;
    for (auto i = static_cast<std::uint32_t>(active.done.size()); i-- > 0;)
        if (!active.done[i])
            active.unrouted.push_back(i);
    log::info("{}: from=<{}>, size={}, nrcpt={} (queue active)", message->id,
              text::printable(message->sender.view(), text::Utf8::allow), message->size, active.unrouted.size());
    event::spawn(route(message));
    return true;
}

void QueueManager::run_due()
{
    if (draining_ || run_again_)
        return;
    const std::int64_t now = now_seconds();
    // The clock was set back: what was due soon must not wait for the old time to come again.
    constexpr std::int64_t kStep = 60;
    if (now + kStep < last_run_)
        index_.due_by(now + settings_.maximal_backoff.count());
    last_run_ = now;
    // A flush of a large queue must not keep the loop from everything else: a few files, then the next turn.
    constexpr int kAtOnce = 50;
    int begun = 0;
    // In turns, so that a flood of old mail does not hold up new mail, nor the other way round.
    while (active_count_ < settings_.active_limit) {
        if (begun == kAtOnce) {
            if (!std::exchange(run_again_, true))
                loop_.post([this] {
                    run_again_ = false;
                    run_due();
                });
            break;
        }
        turn_to_deferred_ = !turn_to_deferred_;
        MessagePtr next;
        if (turn_to_deferred_ || waiting_.empty())
            next = index_.take_due(now);
        if (!next && !waiting_.empty()) {
            next = waiting_.front().lock();
            waiting_.pop_front();
            if (!next || next->place != Place::incoming || next->active)
                continue;
        }
        if (!next) {
            if (waiting_.empty() && index_.next_due() > now)
                break;
            continue;
        }
        activate(next, nullptr);
        ++begun;
    }
    wake_at_next_due();
}

void QueueManager::wake_at_next_due()
{
    const std::int64_t next = index_.next_due();
    if (next == std::numeric_limits<std::int64_t>::max()) {
        due_timer_.reset();
        return;
    }
    const std::int64_t wait =
        std::max<std::int64_t>(1, std::min<std::int64_t>(next - now_seconds(), settings_.queue_run_delay.count()));
    due_timer_ = loop_.call_at(event::Clock::now() + seconds(wait), [this] { run_due(); });
}

void QueueManager::corrupt(const MessagePtr& message)
{
    const std::string_view from = queue_name(message->place);
    log::warning("{}: corrupt queue file: moved to the corrupt queue", message->id);
    if (const auto moved = spool_.move(message->id, from, queue::kCorrupt); !moved && moved.error().code != ENOENT)
        log::warning("{}: {}", message->id, moved.error().message());
    index_.erase(message);
}

void QueueManager::forget(const MessagePtr& message)
{
    release_record(*message->active, Release::not_needed);
    message->active.reset();
    index_.erase(message);
}

// --- orders from outside ---

void QueueManager::flush_all()
{
    scheduler_.revive_all();
    index_.all_due_now(now_seconds());
    run_due();
}

void QueueManager::changed(const ipc::QueueChange& change)
{
    using Change = ipc::QueueChange;
    if (change.operation() == Change::MAKE_FILES) {
        make_files();
        return;
    }
    if (change.operation() == Change::FLUSH_ALL) {
        flush_all();
        return;
    }
    const std::int64_t now = now_seconds();
    if (change.operation() == Change::FLUSH_ID)
        scheduler_.revive_all();
    for (const auto& id : change.queue_ids()) {
        const MessagePtr message = index_.find(id);
        if (!message) {
            look_for(id);
            continue;
        }
        switch (change.operation()) {
        case Change::REMOVED:
            journal_->append(queue::RecordType::removed, id, {});
            loop_.at_turn_end(*this);
            if (message->active)
                call_off(message);
            else
                index_.erase(message);
            break;
        case Change::HELD:
            index_.wake(message);
            if (message->active && message->active->fileless)
                break; // that was not its file
            if (message->active)
                call_off(message); // its file left the active queue; it joins again when released
            else
                message->place = Place::hold;
            break;
        case Change::EXPIRED:
        case Change::EXPIRE_AND_RELEASE:
            message->expire_now = true;
            [[fallthrough]];
        case Change::RELEASED:
        case Change::REQUEUED:
        case Change::FLUSH_ID:
            if (message->active)
                break;
            if (const auto queue = spool_.find(id)) {
                index_.wake(message);
                message->next_try_seconds = now;
                line_up(message, place_of(*queue));
            }
            break;
        default:
            break;
        }
    }
    run_due();
}

// A message that we do not know, wherever an administrator has put its file. False: it is nowhere.
bool QueueManager::look_for(const std::string& id)
{
    for (int attempt = 0; attempt < 2; ++attempt) // it may move while we look
        if (const auto queue = spool_.find(id)) {
            met(read_facts(spool_, place_of(*queue), id), 0);
            return true;
        }
    return false;
}

// The file is not ours any more: what waits does not go out, what is with an agent is left to it.
void QueueManager::call_off(const MessagePtr& message)
{
    message->active->removed = true;
    message->active->unrouted.clear();
    ++message->active->open_entries; // so that the round ends once, below
    for ([[maybe_unused]] const Entry& entry : scheduler_.drop(*message))
        --message->active->open_entries;
    close_entry(message);
}

void QueueManager::retire()
{
    draining_ = true;
    scheduler_.stop();
    leave_files();
}

event::Task<void> QueueManager::drain()
{
    // Agents finish by themselves and mark what they did; only their answers are waited for, and not for long.
    for (int tenths = 0; tenths < 50 && scheduler_.in_flight() > 0; ++tenths)
        co_await loop_.sleep(milliseconds(100));
    co_await journal_->close();
}

} // namespace facteur::qmgr
