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

QueueManager::QueueManager(event::Loop& loop, const config::Config& config, const Settings& settings,
                           const queue::Spool& spool, std::unique_ptr<queue::Journal> journal)
    : loop_(loop), settings_(settings), spool_(spool), journal_(std::move(journal)),
      scheduler_(loop, config, settings, *this), rewrite_(loop, settings.rewrite_socket),
      bounce_(loop, settings.bounce_socket), defer_(loop, settings.defer_socket), trace_(loop, settings.trace_socket)
{
}

// --- coming in ---

void QueueManager::arrived(ipc::Arrived arrival)
{
    if (index_.find(arrival.queue_id()))
        return; // told twice, or a scan was faster
    const MessagePtr message = index_.add(arrival.queue_id());
    message->sender = arrival.envelope().sender();
    message->arrival_seconds = arrival.envelope().arrival_seconds();
    message->size = arrival.content_size();
    message->recipients = static_cast<std::uint32_t>(arrival.envelope().recipients_size());
    message->place = arrival.hold() ? Place::hold : Place::incoming;
    if (arrival.hold())
        return;
    if (active_count_ >= settings_.active_limit || draining_) {
        waiting_.push_back(message);
        return;
    }
    auto active = std::make_unique<Active>();
    active->envelope.Swap(arrival.mutable_envelope());
    active->content_offset = arrival.content_offset();
    active->content_size = arrival.content_size();
    active->content_flags = arrival.content_flags();
    active->status_offset = arrival.status_offset();
    activate(message, std::move(active));
}

void QueueManager::met_file(Place place, const std::string& id, std::uint32_t round, Settled settled)
{
    if (const MessagePtr known = index_.find(id)) {
        known->seen_in_scan = round;
        // The administrator moved it by hand: hold to deferred, or the other way round.
        if (!known->active && known->place != place && known->place != Place::active && place != Place::active) {
            index_.wake(known);
            known->place = place;
            if (place == Place::deferred) {
                known->next_try_seconds = now_seconds();
                index_.defer(known);
            } else if (place == Place::incoming) {
                waiting_.push_back(known);
            }
        }
        return;
    }
    const std::string path = spool_.path(queue_name(place), id);
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0 || (status.st_mode & S_IXUSR) == 0)
        return;                           // gone again, or still being written
    constexpr std::int64_t kSettling = 3; // seconds; longer than a client of a lost cleanup waits before asking again
    if (settled == Settled::only && now_seconds() - status.st_mtime < kSettling)
        return;
    const MessagePtr message = index_.add(id);
    message->seen_in_scan = round;
    message->place = place;
    const auto file = queue::QueueFile::open(path, O_RDONLY);
    const auto envelope = file ? file->read_envelope() : std::unexpected(file.error());
    if (!envelope) {
        if (envelope.error().code == EINVAL)
            corrupt(message);
        else
            index_.erase(message);
        return;
    }
    message->sender = envelope->sender();
    message->arrival_seconds = envelope->arrival_seconds();
    message->size = file->header().content_size;
    message->recipients = file->header().recipient_count;
    message->next_try_seconds = file->modified_seconds();
    if (place == Place::deferred) {
        index_.defer(message);
    } else if (place == Place::incoming) {
        waiting_.push_back(message);
    } else if (place == Place::active) {
        // Left by a queue manager that died. An agent may still be at it: it holds a lock on the file then.
        const bool busy = ::flock(file->fd(), LOCK_EX | LOCK_NB) != 0;
        const auto moved = spool_.move(id, queue::kActive, busy ? queue::kDeferred : queue::kIncoming);
        message->place = busy ? Place::deferred : Place::incoming;
        if (!moved) {
            index_.erase(message);
        } else if (busy) {
            message->next_try_seconds = now_seconds() + 60;
            index_.defer(message);
        } else {
            waiting_.push_back(message);
        }
    }
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
    const auto file = queue::QueueFile::open(spool_.path(queue_name(place), message.id), O_RDONLY);
    if (!file)
        return nullptr;
    auto envelope = file->read_envelope();
    if (!envelope)
        return nullptr;
    auto active = std::make_unique<Active>();
    active->envelope = std::move(*envelope);
    active->content_offset = queue::kContentOffset;
    active->content_size = file->header().content_size;
    active->content_flags = file->header().content_flags;
    active->status_offset = file->header().status_offset();
    message.size = active->content_size;
    message.recipients = file->header().recipient_count;
    return active;
}

bool QueueManager::activate(const MessagePtr& message, std::unique_ptr<Active> prepared)
{
    const Place from = message->place;
    const auto moved = spool_.move(message->id, queue_name(from), queue::kActive);
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
    std::string states;
    if (!prepared) {
        prepared = read_file(*message, Place::active);
        const auto file = queue::QueueFile::open(spool_.path(queue::kActive, message->id), O_RDONLY);
        const auto read = file ? file->read_states() : std::unexpected(file.error());
        if (!prepared || !read) {
            corrupt(message);
            return false;
        }
        states = *read;
    }
    message->active = std::move(prepared);
    Active& active = *message->active;
    active.since_microseconds = now_microseconds();
    active.may_have_bounced = active.may_be_traced = !fresh; // an earlier round may have been cut short
    ++active_count_;
    std::vector<std::uint32_t> pending;
    for (std::uint32_t i = 0; i < static_cast<std::uint32_t>(active.envelope.recipients_size()); ++i)
        if (fresh || states[i] == static_cast<char>(queue::RecipientState::pending))
            pending.push_back(i);
    log::info("{}: from=<{}>, size={}, nrcpt={} (queue active)", message->id,
              text::printable(message->sender, text::Utf8::allow), message->size, pending.size());
    event::spawn(route(message, std::move(pending)));
    return true;
}

void QueueManager::run_due()
{
    if (draining_)
        return;
    const std::int64_t now = now_seconds();
    // In turns, so that a flood of old mail does not hold up new mail, nor the other way round.
    while (active_count_ < settings_.active_limit) {
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

// --- routing ---

// Where each recipient of a message goes, while the answers come in.
struct Routing {
    explicit Routing(event::Loop& loop) : done(loop) {}
    struct Way {
        std::string transport;
        std::string nexthop;
        std::string address;
    };
    std::vector<std::uint32_t> recipients;
    std::vector<Way> ways;
    std::size_t open = 0;
    event::Condition done;
};

event::Task<void> QueueManager::route(MessagePtr message, std::vector<std::uint32_t> recipients)
{
    constexpr std::size_t kAtOnce = 200;
    message->active->resolving = true;
    Routing routing(loop_);
    routing.recipients = std::move(recipients);
    routing.ways.resize(routing.recipients.size());
    for (std::size_t i = 0; i < routing.recipients.size(); ++i) {
        while (routing.open >= kAtOnce)
            co_await routing.done.wait();
        ++routing.open;
        event::spawn(resolve_one(message, static_cast<std::uint32_t>(i), routing));
    }
    while (routing.open > 0)
        co_await routing.done.wait();
    ++message->active->open_entries; // keeps the round open until all entries are made
    make_entries(message, routing);
    message->active->resolving = false;
    close_entry(message);
}

event::Task<void> QueueManager::resolve_one(MessagePtr message, std::uint32_t index, Routing& routing)
{
    const queue::Envelope& envelope = message->active->envelope;
    Routing::Way& way = routing.ways[index];
    const std::string address = envelope.redirect().empty()
                                    ? envelope.recipients(static_cast<int>(routing.recipients[index])).address()
                                    : envelope.redirect();
    way.address = address;
    const std::string sender = envelope.sender();
    const auto answer = co_await rewrite_.resolve(sender, address);
    if (!answer || (answer->flags() & ipc::resolve_flag::failed)) {
        way.transport = settings_.retry_transport;
        way.nexthop = "4.3.0 address resolver failure";
    } else if (answer->flags() & ipc::resolve_flag::error) {
        way.transport = settings_.error_transport;
        way.nexthop = "5.1.3 bad address syntax";
    } else {
        way.transport = answer->transport();
        way.nexthop = answer->nexthop();
        way.address = answer->recipient();
    }
    if (!envelope.content_filter().empty() && !envelope.internal()) {
        const auto colon = envelope.content_filter().find(':');
        way.transport = envelope.content_filter().substr(0, colon);
        const std::string filter_hop = colon == std::string::npos ? "" : envelope.content_filter().substr(colon + 1);
        way.nexthop = filter_hop.empty() ? std::string(mail::split_address(way.address).domain) : filter_hop;
    }
    if (settings_.defer_transports.contains(way.transport)) {
        way.transport = settings_.retry_transport;
        way.nexthop = "4.3.2 deferred transport";
    }
    --routing.open;
    routing.done.notify_all();
}

void QueueManager::make_entries(const MessagePtr& message, Routing& routing)
{
    // One group for each way, cut to what the transport takes at once; order of first appearance is kept.
    std::map<std::pair<std::string_view, std::string>, std::size_t> groups;
    struct Group {
        Transport* transport;
        std::string destination;
        std::string nexthop;
        Entry entry;
    };
    std::vector<Group> ready;
    for (std::size_t i = 0; i < routing.recipients.size(); ++i) {
        Routing::Way& way = routing.ways[i];
        Transport& transport = scheduler_.transport(way.transport);
        const long limit = transport.settings.recipient_limit;
        // With one recipient a delivery, each recipient is a destination of its own (SCHEDULER_README).
        std::string destination = limit == 1 ? way.address : way.nexthop;
        const auto key = std::make_pair(std::string_view(transport.name), destination);
        const auto found = groups.find(key);
        if (found == groups.end() ||
            (limit > 0 && static_cast<long>(ready[found->second].entry.recipients.size()) >= limit)) {
            groups[key] = ready.size();
            ready.push_back({&transport, std::move(destination), way.nexthop, Entry{message, {}, {}}});
        }
        Group& group = ready[groups[key]];
        group.entry.recipients.push_back(routing.recipients[i]);
        group.entry.resolved.push_back(std::move(way.address));
    }
    message->active->open_entries += static_cast<int>(ready.size());
    for (auto& group : ready)
        scheduler_.enqueue(*group.transport, group.destination, std::move(group.nexthop), std::move(group.entry));
}

// --- what the scheduler gives back ---

void QueueManager::entry_answered(Entry entry, const ipc::DeliverReply& reply)
{
    const MessagePtr message = entry.message;
    Active& active = *message->active;
    if (reply.deferred_size() > 0) {
        message->deferral_logged = true;
        active.some_deferred = true;
        active.last_reason = reply.last_deferral().reason();
    }
    active.may_have_bounced |= reply.bounced();
    active.may_be_traced |= reply.traced();
    for (const auto number : reply.delivered())
        active.newly_done.push_back(active.status_offset + number);
    close_entry(message);
}

void QueueManager::entry_lost(Entry entry)
{
    // The agent died. What it finished is marked in the file; the rest is deferred for a moment.
    const MessagePtr message = entry.message;
    message->active->some_deferred = true;
    message->active->answer_lost = true;
    message->active->may_have_bounced = message->active->may_be_traced = true;
    close_entry(message);
}

void QueueManager::entry_suspended(Entry entry, const ipc::Dsn& why)
{
    const MessagePtr message = entry.message;
    Transport& retry = scheduler_.transport(settings_.retry_transport);
    if (retry.dead) { // not even the retry service runs: nothing can be logged for them
        message->active->some_deferred = true;
        message->active->last_reason = why.reason();
        close_entry(message);
        return;
    }
    const std::string text = fmt::format("{} delivery temporarily suspended: {}", why.status(), why.reason());
    scheduler_.enqueue(retry, text, text, std::move(entry));
}

void QueueManager::close_entry(const MessagePtr& message)
{
    if (--message->active->open_entries == 0)
        event::spawn(end_round(message));
}

// --- the end of a round ---

bool QueueManager::expired(const Message& message) const
{
    const seconds lifetime = message.sender.empty() ? settings_.bounce_lifetime : settings_.queue_lifetime;
    return message.expire_now || now_seconds() >= message.arrival_seconds + lifetime.count();
}

event::Task<bool> QueueManager::flush_log(ipc::Client& service, ipc::BounceFlush::Kind kind, MessagePtr message)
{
    const Active& active = *message->active;
    ipc::BounceFlush request;
    request.set_kind(kind);
    request.set_queue_name("active");
    request.set_queue_id(message->id);
    *request.mutable_envelope() = active.envelope;
    request.mutable_envelope()->clear_recipients();
    request.set_content_offset(active.content_offset);
    request.set_content_size(active.content_size);
    request.set_content_flags(active.content_flags);
    ipc::BounceReply reply;
    const auto sent = co_await service.call(ipc::Method::bounce_flush, request, reply);
    co_return sent.has_value() && reply.ok();
}

// Everything a sender has to be told now. False: it could not be said, so the message must stay.
event::Task<bool> QueueManager::send_notices(MessagePtr message)
{
    Active& active = *message->active;
    bool told = true;
    if (active.may_have_bounced && ::access(spool_.path(queue::kBounce, message->id).c_str(), F_OK) == 0) {
        const bool sent = co_await flush_log(bounce_, ipc::BounceFlush::BOUNCE, message);
        told = told && sent;
    }
    if (active.may_be_traced && ::access(spool_.path(queue::kTrace, message->id).c_str(), F_OK) == 0) {
        const bool sent = co_await flush_log(trace_, ipc::BounceFlush::TRACE, message);
        told = told && sent;
    }
    if (!active.some_deferred)
        co_return told;
    if (expired(*message)) {
        log::info("{}: from=<{}>, status={}, returned to sender", message->id,
                  text::printable(message->sender, text::Utf8::allow),
                  message->expire_now ? "force-expired" : "expired");
        const bool sent = co_await flush_log(defer_, ipc::BounceFlush::BOUNCE, message);
        if (sent)
            active.some_deferred = false;
        co_return told&& sent;
    }
    const std::int64_t warn_at = active.envelope.warn_at_seconds();
    if (warn_at > 0 && now_seconds() >= warn_at && (active.content_flags & queue::content_flag::delay_warned) == 0) {
        const bool sent = co_await flush_log(defer_, ipc::BounceFlush::WARN, message);
        if (sent) {
            const auto file = open_file(spool_.path(queue::kActive, message->id), O_RDWR);
            const auto noted = file ? queue::add_header_flags(file->get(), queue::content_flag::delay_warned)
                                    : std::unexpected(file.error());
            if (!noted)
                log::warning("{}: {}", message->id, noted.error().message());
        }
        told = told && sent;
    }
    co_return told;
}

event::Task<void> QueueManager::end_round(MessagePtr message)
{
    Active& active = *message->active;
    bool told = true;
    if (!active.removed)
        told = co_await send_notices(message);
    --active_count_;
    if (active.removed)
        forget(message);
    else if (told && !active.some_deferred)
        remove(message);
    else
        put_off(message);
    run_due();
}

void QueueManager::remove(const MessagePtr& message)
{
    // The journal first: a message whose file is gone and whose removal nobody remembers would come back.
    journal_->append(queue::RecordType::removed, message->id, {});
    removing_.push_back(message);
    loop_.at_turn_end(*this);
}

void QueueManager::turn_ended()
{
    journal_->write_through();
    for (const auto& message : std::exchange(removing_, {})) {
        if (const auto removed = spool_.remove(queue::kActive, message->id); !removed && removed.error().code != ENOENT)
            log::warning("{}: {}", message->id, removed.error().message());
        if (message->deferral_logged)
            ::unlink(spool_.path(queue::kDefer, message->id).c_str());
        log::info("{}: removed", message->id);
        forget(message);
    }
}

void QueueManager::put_off(const MessagePtr& message)
{
    const std::int64_t now = now_seconds();
    const std::int64_t age = std::max<std::int64_t>(0, now - message->arrival_seconds);
    constexpr std::int64_t kSoon = 5;
    const std::int64_t backoff =
        std::max<std::int64_t>(settings_.minimal_backoff.count(),
                               std::min<std::int64_t>(age, settings_.maximal_backoff.count())); // the minimum wins
    message->next_try_seconds = now + (message->active->answer_lost ? std::min(kSoon, backoff) : backoff);
    message->reason = message->active->last_reason;
    for (const auto offset : message->active->newly_done)
        journal_->append(queue::RecordType::recipient_done, message->id,
                         {reinterpret_cast<const char*>(&offset), sizeof offset});
    if (!message->active->newly_done.empty())
        loop_.at_turn_end(*this);
    message->active.reset();

    const std::string path = spool_.path(queue::kActive, message->id);
    const timespec times[2] = {{message->next_try_seconds, 0}, {message->next_try_seconds, 0}};
    ::utimensat(AT_FDCWD, path.c_str(), times, 0);
    if (const auto moved = spool_.move(message->id, queue::kActive, queue::kDeferred); !moved) {
        if (moved.error().code != ENOENT)
            log::warning("{}: {}", message->id, moved.error().message());
        index_.erase(message);
        return;
    }
    index_.defer(message);
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
    if (change.operation() == Change::FLUSH_ALL || change.operation() == Change::FLUSH_SITE) {
        flush_all();
        return;
    }
    const std::int64_t now = now_seconds();
    if (change.operation() == Change::FLUSH_ID)
        scheduler_.revive_all();
    for (const auto& id : change.queue_ids()) {
        const MessagePtr message = index_.find(id);
        if (!message) {
            if (const auto queue = spool_.find(id))
                met_file(*queue == queue::kHold       ? Place::hold
                         : *queue == queue::kDeferred ? Place::deferred
                                                      : Place::incoming,
                         id, 0);
            continue;
        }
        switch (change.operation()) {
        case Change::REMOVED:
            journal_->append(queue::RecordType::removed, id, {});
            loop_.at_turn_end(*this);
            if (message->active)
                message->active->removed = true;
            else
                index_.erase(message);
            break;
        case Change::HELD:
            index_.wake(message);
            if (message->active)
                message->active->removed = true; // its file left the active queue; it joins again when released
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
                message->place = *queue == queue::kHold       ? Place::hold
                                 : *queue == queue::kDeferred ? Place::deferred
                                                              : Place::incoming;
                message->next_try_seconds = now;
                if (message->place == Place::deferred)
                    index_.defer(message);
                else if (message->place == Place::incoming)
                    waiting_.push_back(message);
            }
            break;
        default:
            break;
        }
    }
    run_due();
}

void QueueManager::retire()
{
    draining_ = true;
    scheduler_.stop();
}

event::Task<void> QueueManager::drain()
{
    // Agents finish by themselves and mark what they did; only their answers are waited for, and not for long.
    for (int tenths = 0; tenths < 50 && scheduler_.in_flight() > 0; ++tenths)
        co_await loop_.sleep(milliseconds(100));
    co_await journal_->close();
}

} // namespace facteur::qmgr
