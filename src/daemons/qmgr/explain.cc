#include "daemons/qmgr/explain.h"

#include "daemons/qmgr/now.h"

namespace facteur::qmgr {

namespace {

std::int64_t wall_seconds(const std::unique_ptr<event::Loop::Timer>& timer)
{
    const auto when = timer ? timer->when() : std::nullopt;
    if (!when)
        return 0;
    return now_seconds() + std::chrono::duration_cast<seconds>(*when - event::Clock::now()).count();
}

void describe(ipc::ExplainDestination& to, const Transport& transport)
{
    to.set_window_limit(static_cast<std::uint32_t>(transport.settings.concurrency_limit));
    to.set_transport_in_flight(static_cast<std::uint32_t>(transport.in_flight));
    to.set_transport_limit(static_cast<std::uint32_t>(transport.settings.process_limit));
    to.set_transport_dead(transport.dead);
    if (transport.dead) {
        to.set_transport_dead_until_seconds(wall_seconds(transport.revival));
        to.set_transport_reason(transport.dead_reason.reason());
    }
}

void describe(ipc::ExplainDestination& to, const Destination& destination)
{
    to.set_in_use(true);
    to.set_window(static_cast<std::uint32_t>(destination.window.size()));
    to.set_in_flight(static_cast<std::uint32_t>(destination.in_flight));
    to.set_waiting(static_cast<std::uint32_t>(destination.waiting));
    to.set_dead(destination.dead);
    if (destination.dead) {
        to.set_dead_until_seconds(destination.dead_until_seconds);
        to.set_dead_reason(destination.dead_reason.reason());
    }
}

void describe(ipc::ExplainDestination& to, const ipc::ExplainRequest::Route& route, const Scheduler& scheduler)
{
    to.set_transport(route.transport());
    to.set_name(route.nexthop());
    const auto known = scheduler.transports().find(route.transport());
    if (known == scheduler.transports().end())
        return; // no mail went that way since the start
    const Transport* const transport = known->second.get();
    describe(to, *transport);
    if (transport->settings.recipient_limit == 1)
        to.set_name(route.address());
    const auto found = transport->destinations.find(to.name());
    if (found != transport->destinations.end())
        describe(to, *found->second);
}

} // namespace

ipc::ExplainReply explain(const ipc::ExplainRequest& request, const MessageIndex& index, const Scheduler& scheduler)
{
    ipc::ExplainReply reply;
    if (const MessagePtr message = index.find(request.queue_id())) {
        reply.set_known(true);
        ipc::ListEntry& entry = *reply.mutable_entry();
        entry.set_queue_id(message->id);
        entry.set_queue(std::string(queue_name(message->place)));
        message->each_pending([&entry](std::string_view, const SharedText& reason) {
            if (entry.reason().empty())
                entry.set_reason(std::string(reason.view()));
        });
        entry.set_next_try_seconds(message->place == Place::deferred ? message->next_try_seconds : 0);
        entry.set_forced_expire(message->expire_now);
        if (message->active) {
            reply.set_active_since_seconds(message->active->since_microseconds / 1'000'000);
            reply.set_open_groups(static_cast<std::uint32_t>(message->active->open_entries));
        }
    }
    for (const auto& route : request.routes())
        describe(*reply.add_destinations(), route, scheduler);
    return reply;
}

} // namespace facteur::qmgr
