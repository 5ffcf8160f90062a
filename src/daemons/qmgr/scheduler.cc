#include "daemons/qmgr/scheduler.h"

#include "base/log.h"
#include "daemons/qmgr/now.h"
#include "ipc/flags.h"

#include <algorithm>

namespace facteur::qmgr {

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
    destination.waiting.push_back(std::move(entry));
    list(destination);
}

void Scheduler::list(Destination& destination)
{
    if (destination.listed || destination.dead || destination.waiting.empty() ||
        destination.in_flight >= destination.window.size())
        return;
    destination.listed = true;
    destination.transport.round_robin.push_back(&destination);
    loop_.at_turn_end(*this);
}

void Scheduler::turn_ended()
{
    for (auto& [name, transport] : transports_)
        dispatch(*transport);
}

void Scheduler::dispatch(Transport& transport)
{
    while (!stopped_ && !transport.round_robin.empty() && transport.in_flight < transport.settings.process_limit) {
        Destination& destination = *transport.round_robin.front();
        transport.round_robin.pop_front();
        destination.listed = false;
        if (destination.dead || destination.waiting.empty() || destination.in_flight >= destination.window.size())
            continue;
        // A rate delay means one delivery after the other, and the pause belongs to the delivery before.
        if (transport.settings.rate_delay.count() > 0 && destination.holders > 0)
            continue;
        Entry entry = std::move(destination.waiting.front());
        destination.waiting.pop_front();
        if (transport.settings.rate_delay.count() == 0)
            list(destination);
        event::spawn(deliver(destination, std::move(entry)));
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
    request.set_nexthop(destination.nexthop);
    request.set_transport(destination.transport.name);
    std::uint32_t flags = ipc::deliver_flag::connection_load;
    if (active.envelope.trace_flags() & 1)
        flags |= ipc::deliver_flag::trace_verify;
    if (active.envelope.trace_flags() & 2)
        flags |= ipc::deliver_flag::trace_record;
    if (!destination.waiting.empty())
        flags |= ipc::deliver_flag::connection_store;
    if (active.envelope.recipients_size() == 1)
        flags |= ipc::deliver_flag::single;
    request.set_flags(flags);
    request.set_active_microseconds(active.since_microseconds);
    request.set_scheduled_microseconds(now_microseconds());
    queue::Envelope& envelope = *request.mutable_envelope();
    if (active.envelope.recipients_size() <= 4) {
        envelope = active.envelope;
    } else {
        // Without copying ten thousand recipients for each request.
        auto& source = const_cast<queue::Envelope&>(active.envelope);
        google::protobuf::RepeatedPtrField<queue::Recipient> aside;
        aside.Swap(source.mutable_recipients());
        envelope = source;
        aside.Swap(source.mutable_recipients());
    }
    envelope.clear_recipients();
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
    ++destination.in_flight;
    ++transport.in_flight;
    ++in_flight_;
    const std::size_t stream = transport.least_loaded();
    ++transport.client_load[stream];
    ipc::DeliverReply reply;
    const auto request = make_request(destination, entry);
    const auto answered = co_await transport.clients[stream]->call(
        ipc::Method::deliver, request, reply, {}, ipc::Client::Repeat::never, event::milliseconds(24 * 3600 * 1000));
    --transport.client_load[stream];
    --destination.in_flight;
    --transport.in_flight;
    --in_flight_;
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
    if (transport.settings.rate_delay.count() > 0 && !destination.dead)
        co_await loop_.sleep(transport.settings.rate_delay);
    --destination.holders;
    list(destination);
    if (!transport.round_robin.empty())
        loop_.at_turn_end(*this);
    forget_if_idle(destination);
}

void Scheduler::account(Destination& destination, const ipc::DeliverReply& reply)
{
    if (!reply.hop_failed()) {
        destination.window.succeeded();
        return;
    }
    if (!destination.dead && destination.window.failed())
        bury(destination, reply.hop_status());
}

void Scheduler::suspend_waiting(Destination& destination, const ipc::Dsn& why)
{
    auto waiting = std::exchange(destination.waiting, {});
    for (auto& entry : waiting)
        owner_.entry_suspended(std::move(entry), why);
}

void Scheduler::bury(Destination& destination, const ipc::Dsn& why)
{
    destination.dead = true;
    destination.dead_reason = why;
    const milliseconds pause = settings_.minimal_backoff;
    destination.revival = loop_.call_at(event::Clock::now() + pause, [this, &destination] {
        destination.dead = false;
        destination.window.reset();
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
    transport.revival =
        loop_.call_at(event::Clock::now() + settings_.transport_retry, [&transport] { transport.dead = false; });
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
            list(*destination);
        }
    }
}

void Scheduler::forget_if_idle(Destination& destination)
{
    // A destination with nothing to do keeps its window only as long as many are not kept.
    constexpr std::size_t kKeep = 1000;
    if (destination.holders > 0 || !destination.waiting.empty() || destination.dead || destination.listed)
        return;
    auto& all = destination.transport.destinations;
    if (all.size() > kKeep)
        all.erase(destination.name);
}

} // namespace facteur::qmgr
