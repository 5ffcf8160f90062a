#include "daemons/qmgr/scheduler.h"

#include "base/log.h"
#include "daemons/qmgr/clog_warning.h"
#include "daemons/qmgr/job_queue.h"
#include "daemons/qmgr/now.h"
#include "ipc/flags.h"
#include "mail/verp.h"
#include "queue/queue_file.h"

#include <algorithm>

namespace facteur::qmgr {

// Each recipient of such a message sees a sender address that names them. Source: VERP_README.
bool verp_wanted(const queue::Envelope& envelope)
{
    return !envelope.verp_delimiters().empty() && !envelope.sender().empty();
}

Scheduler::Scheduler(event::Loop& loop, const config::Config& config, const Settings& settings, Owner& owner)
    : loop_(loop), config_(config), settings_(settings), owner_(owner)
{
}

Transport& Scheduler::transport(const std::string& name)
{
    auto& slot = transports_[name];
    if (!slot)
        slot = std::make_unique<Transport>(loop_, name, read_transport(config_, settings_, name), settings_.workers);
    return *slot;
}

void Scheduler::enqueue(Transport& transport, const std::string& destination_name, std::string nexthop, Entry entry)
{
    Destination& destination = transport.destination(destination_name);
    destination.nexthop = std::move(nexthop);
    if (transport.dead || destination.dead) {
        owner_.entry_suspended(std::move(entry), transport.dead ? transport.dead_reason : destination.dead_reason);
        return;
    }
    const Priority priority = entry.message->active ? entry.message->active->priority : Priority::normal;
    transport.jobs->push(destination, std::move(entry), priority, now_microseconds() / 1000);
    update(destination);
    warn_of_clog(destination);
}

void Scheduler::warn_of_clog(Destination& destination)
{
    // What the retry service has to put off is no destination that anybody could speed up.
    const std::string& transport = destination.transport.name;
    if (settings_.clog_warning.count() == 0 || transport == settings_.retry_transport ||
        transport == settings_.error_transport ||
        now_seconds() < destination.clog_warned_seconds + settings_.clog_warning.count())
        return;
    const auto lines = clog_warning(destination, owner_.active_count(), settings_.active_limit);
    for (const auto& line : lines)
        log::warning("{}", line);
    if (!lines.empty())
        destination.clog_warned_seconds = now_seconds();
}

// Whether a delivery to the destination may begin now.
void Scheduler::update(Destination& destination)
{
    // A rate delay means one delivery after the other, and the pause belongs to the delivery before.
    const bool paced = destination.transport.settings.rate_delay.count() > 0 && destination.holders > 0;
    destination.transport.jobs->set_open(destination, !destination.dead && !paced &&
                                                          destination.in_flight < destination.window.size());
    if (destination.ready)
        loop_.at_turn_end(*this);
}

void Scheduler::turn_ended()
{
    for (auto& [name, transport] : transports_)
        dispatch(*transport);
}

void Scheduler::dispatch(Transport& transport)
{
    const bool one_by_one = transport.settings.transport_rate_delay.count() > 0;
    while (!stopped_ && !transport.dead && !transport.pausing &&
           transport.in_flight < (one_by_one ? 1 : transport.settings.process_limit)) {
        auto next = transport.jobs->pop(now_microseconds() / 1000);
        if (!next)
            break;
        event::spawn(deliver(static_cast<Destination&>(*next->lane), std::move(next->entry)));
    }
}

ipc::DeliverRequest Scheduler::make_request(const Destination& destination, const Entry& entry) const
{
    const Message& message = *entry.message;
    const Active& active = *message.active;
    ipc::DeliverRequest request;
    request.set_queue_name("active");
    request.set_queue_id(message.id);
    request.set_content_offset(active.content_offset);
    request.set_content_size(active.content_size);
    request.set_content_flags(active.content_flags);
    if (active.fileless) {
        request.mutable_record()->set_segment(active.fileless->record.path);
        request.mutable_record()->set_offset(active.fileless->record.offset);
        request.mutable_record()->set_size(active.fileless->record.size);
    }
    request.set_nexthop(destination.nexthop);
    request.set_transport(destination.transport.name);
    std::uint32_t flags = ipc::deliver_flag::connection_load;
    if (active.envelope.trace_flags() & 1)
        flags |= ipc::deliver_flag::trace_verify;
    if (active.envelope.trace_flags() & 2)
        flags |= ipc::deliver_flag::trace_record;
    if (destination.keeps_connections)
        flags |= ipc::deliver_flag::connection_store;
    if (settings_.confirm_delay_cleared && (active.content_flags & queue::content_flag::delay_warned) != 0)
        flags |= ipc::deliver_flag::delay_cleared;
    if (active.envelope.recipients_size() == 1)
        flags |= ipc::deliver_flag::single;
    request.set_flags(flags);
    request.set_active_microseconds(active.since_microseconds);
    request.set_scheduled_microseconds(now_microseconds());
    // The envelope's recipients stay behind: there may be ten thousand.
    auto& source = const_cast<queue::Envelope&>(active.envelope);
    google::protobuf::RepeatedPtrField<queue::Recipient> aside;
    aside.Swap(source.mutable_recipients());
    *request.mutable_envelope() = source;
    aside.Swap(source.mutable_recipients());
    if (verp_wanted(active.envelope) && !entry.recipients.empty()) // one recipient an entry
        request.mutable_envelope()->set_sender(mail::verp_address(
            active.envelope.sender(), active.envelope.recipients(static_cast<int>(entry.recipients.front())).address(),
            active.envelope.verp_delimiters()));
    for (std::size_t i = 0; i < entry.recipients.size(); ++i) {
        auto& recipient = *request.add_recipients();
        *recipient.mutable_recipient() = active.envelope.recipients(static_cast<int>(entry.recipients[i]));
        recipient.mutable_recipient()->set_address(entry.resolved[i]);
        recipient.set_number(entry.recipients[i]);
        recipient.set_status_offset(active.status_offset + entry.recipients[i]);
    }
    return request;
}

event::Task<void> Scheduler::deliver(Destination& destination, Entry entry)
{
    Transport& transport = destination.transport;
    ++destination.holders;
    destination.delivery_begins(loop_.now());
    ++transport.in_flight;
    ++in_flight_;
    ++entry.message->active->with_agents;
    update(destination);
    const std::size_t stream = transport.least_loaded();
    ++transport.client_load[stream];
    ipc::DeliverReply reply;
    const auto request = make_request(destination, entry);
    const auto answered = co_await transport.clients[stream]->call(
        ipc::Method::deliver, request, reply, {}, ipc::Client::Repeat::never, event::milliseconds(24 * 3600 * 1000));
    --transport.client_load[stream];
    destination.delivery_ended(loop_.now());
    --transport.in_flight;
    --in_flight_;
    --entry.message->active->with_agents;
    if (answered) {
        account(destination, reply);
        owner_.entry_answered(std::move(entry), reply);
    } else if (answered.error() == ipc::IpcError::unreachable) {
        log::warning("connect to transport {}: mail transport unavailable", "private/" + transport.name);
        ipc::Dsn why;
        why.set_status("4.3.0");
        why.set_reason("mail transport unavailable");
        bury(transport, why);
        owner_.entry_suspended(std::move(entry), why);
    } else {
        log::warning("private/{} socket: {}", transport.name, ipc::to_string(answered.error()));
        owner_.entry_lost(std::move(entry));
    }
    pause(transport);
    if (transport.settings.rate_delay.count() > 0 && !destination.dead)
        co_await loop_.sleep(transport.settings.rate_delay);
    --destination.holders;
    update(destination);
    if (transport.jobs->anything_ready())
        loop_.at_turn_end(*this);
    forget_if_idle(destination);
}

// default_transport_rate_delay: a moment of silence after each delivery.
void Scheduler::pause(Transport& transport)
{
    if (transport.settings.transport_rate_delay.count() == 0)
        return;
    transport.pausing = true;
    transport.pause = loop_.call_at(event::Clock::now() + transport.settings.transport_rate_delay, [this, &transport] {
        transport.pausing = false;
        loop_.at_turn_end(*this);
    });
}

void Scheduler::account(Destination& destination, const ipc::DeliverReply& reply)
{
    bool dies = false;
    if (!reply.hop_failed())
        destination.window.succeeded();
    else
        dies = !destination.dead && destination.window.failed(now_microseconds() / 1000);
    if (settings_.log_feedback)
        log::info("{}: queue {}: {}", destination.transport.name, destination.name, destination.window.describe());
    if (dies)
        bury(destination, reply.hop_status());
}

void Scheduler::suspend_waiting(Destination& destination, const ipc::Dsn& why)
{
    for (auto& entry : destination.transport.jobs->take_lane(destination))
        owner_.entry_suspended(std::move(entry), why);
}

void Scheduler::bury(Destination& destination, const ipc::Dsn& why)
{
    destination.dead = true;
    destination.dead_reason = why;
    update(destination);
    const milliseconds pause = settings_.minimal_backoff;
    destination.dead_until_seconds = now_seconds() + settings_.minimal_backoff.count();
    destination.revival = loop_.call_at(event::Clock::now() + pause, [this, &destination] {
        destination.dead = false;
        destination.window.reset();
        update(destination);
        // Not from inside the timer that destroying the destination would destroy.
        loop_.post([this, name = destination.transport.name, which = destination.name] {
            const auto found = transports_.at(name)->destinations.find(which);
            if (found != transports_.at(name)->destinations.end())
                forget_if_idle(*found->second);
        });
    });
    suspend_waiting(destination, why);
}

void Scheduler::bury(Transport& transport, const ipc::Dsn& why)
{
    transport.dead = true;
    transport.dead_reason = why;
    transport.revival = loop_.call_at(event::Clock::now() + settings_.transport_retry, [this, &transport] {
        transport.dead = false;
        loop_.at_turn_end(*this);
    });
    std::vector<Destination*> all;
    for (auto& [name, destination] : transport.destinations)
        all.push_back(destination.get());
    for (Destination* destination : all)
        suspend_waiting(*destination, why);
}

void Scheduler::revive_all()
{
    for (auto& [name, transport] : transports_) {
        transport->dead = false;
        transport->revival.reset();
        for (auto& [nexthop, destination] : transport->destinations) {
            destination->dead = false;
            destination->revival.reset();
            destination->window.reset();
            update(*destination);
        }
    }
}

std::vector<Entry> Scheduler::drop(const Message& message)
{
    std::vector<Entry> dropped;
    for (auto& [name, transport] : transports_)
        for (auto& entry : transport->jobs->take_message(&message))
            dropped.push_back(std::move(entry));
    return dropped;
}

void Scheduler::forget_if_idle(Destination& destination)
{
    // A destination with nothing to do keeps its window only as long as many are not kept.
    constexpr std::size_t kKeep = 1000;
    if (destination.holders > 0 || destination.waiting > 0 || destination.dead)
        return;
    auto& all = destination.transport.destinations;
    if (all.size() > kKeep)
        all.erase(destination.name);
}

} // namespace facteur::qmgr
