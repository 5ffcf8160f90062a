#include "base/log.h"
#include "base/text.h"
#include "daemons/qmgr/now.h"
#include "daemons/qmgr/queue_manager.h"
#include "ipc/flags.h"
#include "ipc/resolve_reply.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <random>

// The rounds of delivery: recipients routed, handed to the scheduler, and what becomes of the message when all came
// back.
namespace facteur::qmgr {

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

// The next recipients of a message; not more at once than default_recipient_limit and its kin allow.
event::Task<void> QueueManager::route(MessagePtr message)
{
    constexpr std::size_t kAtOnce = 200;
    Active& active = *message->active;
    active.resolving = true;
    ++active.open_entries; // keeps the round open until all entries are made
    Routing routing(loop_);
    while (!active.unrouted.empty() && routing.recipients.size() < settings_.recipients_at_once) {
        routing.recipients.push_back(active.unrouted.back());
        active.unrouted.pop_back();
    }
    active.under_way += routing.recipients.size();
    routing.ways.resize(routing.recipients.size());
    for (std::size_t i = 0; i < routing.recipients.size(); ++i) {
        while (routing.open >= kAtOnce)
            co_await routing.done.wait();
        ++routing.open;
        event::spawn(resolve_one(message, static_cast<std::uint32_t>(i), routing));
    }
    while (routing.open > 0)
        co_await routing.done.wait();
    if (!active.removed)
        make_entries(message, routing);
    active.resolving = false;
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
    ipc::divert_to_filter(envelope, settings_.filter_nexthop, way.address, way.transport, way.nexthop);
    if (settings_.defer_transports.contains(way.transport)) {
        way.transport = settings_.retry_transport;
        way.nexthop = "4.3.2 deferred transport";
    }
    --routing.open;
    routing.done.notify_all();
}

// Sets the message's class. False: its time window is closed, and all of it waits in the deferred queue until it opens.
bool QueueManager::may_leave_now(const MessagePtr& message, const Routing& routing)
{
    Active& active = *message->active;
    std::vector<std::string_view> recipients;
    std::vector<std::string_view> transports;
    for (const Routing::Way& way : routing.ways) {
        recipients.push_back(way.address);
        if (transports.empty() || transports.back() != way.transport)
            transports.push_back(way.transport);
    }
    const Treatment treatment =
        priorities_.treatment(message->sender.view(), active.envelope.queue_priority(), recipients, transports);
    active.priority = treatment.priority;
    const std::int64_t closed = treatment.window ? treatment.window->closed_for(now_seconds()) : 0;
    if (closed == 0 || expired(*message))
        return true;
    active.not_before_seconds = now_seconds() + closed;
    active.some_deferred = true;
    active.last_reason = "waits for its delivery time window";
    active.unrouted.clear();
    log::info("{}: held back for {} seconds: {}", message->id, closed, active.last_reason);
    return false;
}

void QueueManager::make_entries(const MessagePtr& message, Routing& routing)
{
    const bool classed = !priorities_.empty() || !message->active->envelope.queue_priority().empty();
    if (classed && !may_leave_now(message, routing))
        return;
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
        const long limit = verp_wanted(message->active->envelope) ? 1 : transport.settings.recipient_limit;
        // With one recipient a delivery, each recipient is a destination of its own (SCHEDULER_README).
        std::string destination = transport.settings.recipient_limit == 1 ? way.address : way.nexthop;
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
        for (int i = 0; i < reply.deferred_size(); ++i)
            note_reason(active, reply.deferred(i),
                        i < reply.deferred_reason_size() ? reply.deferred_reason(i) : active.last_reason);
    }
    active.may_have_bounced |= reply.bounced();
    active.may_be_traced |= reply.traced();
    for (const auto number : reply.delivered()) {
        if (number >= active.done.size())
            continue;
        const std::uint64_t state = active.status_offset + number;
        active.done[number] = true;
        if (active.done.size() > 1) // the only one: its removal says it all
            note_done(message->id, state);
        if (active.kept)
            if (const auto marked = queue::mark_recipient_done(active.kept.get(), state); !marked)
                log::warning("{}: {}", message->id, marked.error().message());
    }
    settle(entry);
}

void QueueManager::note_done(const std::string& id, std::uint64_t state)
{
    journal_->append(queue::RecordType::recipient_done, id, {reinterpret_cast<const char*>(&state), sizeof state});
    loop_.at_turn_end(*this);
}

void QueueManager::note_reason(Active& active, std::uint32_t number, std::string_view reason)
{
    if (number >= active.done.size())
        return;
    active.deferral_reason.resize(active.done.size());
    active.deferral_reason[number] = SharedText(reason);
}

// An entry came back. When few are left, the next recipients of a large message are resolved.
void QueueManager::settle(const Entry& entry)
{
    Active& active = *entry.message->active;
    if (active.with_agents == 0)
        active.kept.reset();
    active.under_way -= std::min(active.under_way, entry.recipients.size());
    if (!active.unrouted.empty() && !active.resolving && active.under_way <= settings_.refill)
        event::spawn(route(entry.message));
    close_entry(entry.message);
}

void QueueManager::entry_lost(Entry entry)
{
    // The agent died. What it finished is marked in the file; the rest is deferred for a moment.
    const MessagePtr message = entry.message;
    message->active->some_deferred = true;
    message->active->answer_lost = true;
    message->active->unrecorded = true;
    message->active->may_have_bounced = message->active->may_be_traced = true;
    settle(entry);
}

void QueueManager::entry_suspended(Entry entry, const ipc::Dsn& why)
{
    const MessagePtr message = entry.message;
    Transport& retry = scheduler_.transport(settings_.retry_transport);
    if (retry.dead) { // not even the retry service runs: nothing can be logged for them
        message->active->some_deferred = true;
        message->active->unrecorded = true;
        message->active->last_reason = why.reason();
        for (const auto number : entry.recipients)
            note_reason(*message->active, number, why.reason());
        settle(entry);
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
    if (settings_.confirm_delay_cleared && (active.content_flags & queue::content_flag::delay_warned) != 0)
        request.set_flags(ipc::deliver_flag::delay_cleared);
    ipc::BounceReply reply;
    const auto sent = co_await service.call(ipc::Method::bounce_flush, request, reply);
    co_return sent.has_value() && reply.ok();
}

ipc::BounceFlush::Kind QueueManager::failure_notice(const Active& active) const
{
    return settings_.verp_bounces && verp_wanted(active.envelope) ? ipc::BounceFlush::VERP : ipc::BounceFlush::BOUNCE;
}

// Everything a sender has to be told now. False: it could not be said, so the message must stay.
event::Task<bool> QueueManager::send_notices(MessagePtr message)
{
    Active& active = *message->active;
    bool told = true;
    if (active.may_have_bounced && ::access(spool_.path(queue::kBounce, message->id).c_str(), F_OK) == 0) {
        const bool sent = co_await flush_log(bounce_, failure_notice(active), message);
        told = told && sent;
    }
    if (active.may_be_traced && ::access(spool_.path(queue::kTrace, message->id).c_str(), F_OK) == 0) {
        const bool sent = co_await flush_log(trace_, ipc::BounceFlush::TRACE, message);
        told = told && sent;
    }
    if (!active.some_deferred)
        co_return told;
    // Only what the defer service knows of can be returned: without a record the notice would name nobody.
    if (expired(*message) && message->deferral_logged && !active.unrecorded) {
        log::info("{}: from=<{}>, status={}, returned to sender", message->id,
                  text::printable(message->sender.view(), text::Utf8::allow),
                  message->expire_now ? "force-expired" : "expired");
        const bool sent = co_await flush_log(defer_, failure_notice(active), message);
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
    // Some recipient was neither done nor deferred: its agent did not find the file.
    const bool missed = !active.some_deferred && !std::ranges::all_of(active.done, std::identity{});
    if (missed && active.fileless) // there was none to find
        active.some_deferred = active.unrecorded = true;
    if (!active.removed && (active.some_deferred || active.may_have_bounced || active.may_be_traced)) {
        const bool filed = co_await file_needed(message);
        active.removed = !filed; // given back
    }
    if (!active.removed)
        told = co_await send_notices(message);
    --active_count_;
    if (active.removed)
        forget(message);
    else if (told && !active.some_deferred && missed)
        file_gone(message);
    else if (told && !active.some_deferred)
        remove(message);
    else
        put_off(message);
    run_due();
}

// An agent did not find the file, so an administrator took it: elsewhere it is a message that we meet anew.
void QueueManager::file_gone(const MessagePtr& message)
{
    const std::string id = message->id;
    forget(message);
    if (look_for(id))
        return;
    journal_->append(queue::RecordType::removed, id, {});
    loop_.at_turn_end(*this);
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
        if (!message->active->fileless)
            if (const auto removed = spool_.remove(queue_name(message->place), message->id);
                !removed && removed.error().code != ENOENT)
                log::warning("{}: {}", message->id, removed.error().message());
        if (message->deferral_logged)
            ::unlink(spool_.path(queue::kDefer, message->id).c_str());
        log::info("{}: removed", message->id);
        forget(message);
    }
}

// Next try = clamp(age, minimal_backoff_time, maximal_backoff_time), lengthened at random by up to
// deferred_retry_spread percent; when its time window opens, for mail that has one.
std::int64_t QueueManager::next_try(const Message& message) const
{
    const Active& active = *message.active;
    const std::int64_t now = now_seconds();
    const std::int64_t age = std::max<std::int64_t>(0, now - message.arrival_seconds);
    constexpr std::int64_t kSoon = 5;
    std::int64_t wait =
        std::max<std::int64_t>(settings_.minimal_backoff.count(),
                               std::min<std::int64_t>(age, settings_.maximal_backoff.count())); // the minimum wins
    if (active.answer_lost)
        wait = std::min(kSoon, wait);
    if (settings_.retry_spread > 0) {
        static std::minstd_rand random{std::random_device{}()};
        wait += std::uniform_int_distribution<std::int64_t>(0, wait * settings_.retry_spread / 100)(random);
    }
    return active.not_before_seconds > now ? active.not_before_seconds : now + wait;
}

// What a listing shows while the message waits.
void QueueManager::remember_pending(Message& message)
{
    Active& active = *message.active;
    if (active.answer_lost) {
        const auto file = queue::QueueFile::open(spool_.path(queue::kActive, message.id), O_RDONLY);
        if (const auto states = file ? file->read_states() : std::unexpected(file.error()))
            for (std::size_t i = 0; i < std::min(states->size(), active.done.size()); ++i)
                active.done[i] = !queue::is_pending(*states, i);
    }
    std::vector<PendingRecipient> pending;
    for (std::size_t i = 0; i < active.done.size(); ++i)
        if (!active.done[i])
            pending.push_back(
                {active.envelope.recipients(static_cast<int>(i)).address(),
                 i < active.deferral_reason.size() ? active.deferral_reason[i] : SharedText(active.last_reason)});
    message.set_pending(pending);
}

void QueueManager::put_off(const MessagePtr& message)
{
    message->next_try_seconds = next_try(*message);
    remember_pending(*message);
    message->active.reset();

    const Place was = message->place;
    const std::string_view from = queue_name(was);
    const std::string path = spool_.path(from, message->id);
    const timespec times[2] = {{message->next_try_seconds, 0}, {message->next_try_seconds, 0}};
    ::utimensat(AT_FDCWD, path.c_str(), times, 0);
    const auto moved = spool_.move(message->id, from, queue::kDeferred);
    if (!moved && ::access(path.c_str(), F_OK) != 0) { // an administrator moved it
        const std::string id = message->id;
        index_.erase(message);
        look_for(id);
        return;
    }
    index_.defer(message);
    if (!moved) {
        log::warning("{}: {}: it waits where it is", message->id, moved.error().message());
        message->place = was;
    }
}

} // namespace facteur::qmgr
