#include "daemons/showq/explain.h"

#include "agent/bounce_log.h"
#include "daemons/showq/file_entry.h"
#include "ipc/resolve_reply.h"
#include "mail/address.h"
#include "queue/queue_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace facteur::showq {

namespace {

constexpr int kMostResolved = 200; // recipients of one message whose way is looked up
constexpr event::milliseconds kPatience{20'000};

constexpr std::string_view kPlaces[] = {queue::kIncoming, queue::kActive,   queue::kDeferred,
                                        queue::kHold,     queue::kMaildrop, queue::kCorrupt};

void add_recipients(ipc::ExplainReply& reply, const queue::Envelope& envelope, std::string_view states)
{
    for (int i = 0; i < envelope.recipients_size(); ++i) {
        auto& recipient = *reply.add_recipients();
        *recipient.mutable_recipient() = envelope.recipients(i);
        recipient.set_done(!queue::is_pending(states, static_cast<std::size_t>(i)));
    }
}

void add_attempts(ipc::ExplainReply& reply, const queue::Spool& spool, const std::string& id)
{
    const auto log = agent::read_log(spool.path(queue::kDefer, id));
    if (!log)
        return; // nothing was put off, or nobody may know: then the listing's reason is all there is
    for (const auto& entry : log->entries)
        for (auto& recipient : *reply.mutable_recipients())
            if (recipient.recipient().address() == entry.recipient().address()) {
                *recipient.mutable_last() = entry.dsn();
                recipient.set_relay(entry.relay());
            }
}

// False: the file is gone meanwhile.
bool read_file(ipc::ExplainReply& reply, const queue::Spool& spool, std::string_view queue, const std::string& id)
{
    const std::string path = spool.path(queue, id);
    struct stat status{};
    if (::lstat(path.c_str(), &status) != 0)
        return false;
    auto& entry = *reply.mutable_entry();
    entry.set_queue_id(id);
    entry.set_queue(std::string(queue));
    entry.set_size(static_cast<std::uint64_t>(status.st_size));
    entry.set_arrival_seconds(status.st_mtime);
    entry.set_forced_expire((status.st_mode & queue::kExpiredMode) != 0);
    reply.set_known(true);
    reply.set_modified_seconds(status.st_mtime);
    if (queue == queue::kDeferred)
        entry.set_next_try_seconds(status.st_mtime);
    if (queue == queue::kMaildrop)
        return true; // not in the queue's own form yet
    const auto file = queue::QueueFile::open(path, O_RDONLY);
    auto envelope = file ? file->read_envelope() : std::unexpected(file.error());
    const auto states = file ? file->read_states() : std::unexpected(file.error());
    if (!envelope || !states) {
        reply.set_damaged((status.st_mode & S_IXUSR) != 0);
        return true;
    }
    entry.set_arrival_seconds(file->header().arrival_seconds);
    entry.set_size(file->header().content_size);
    entry.set_sender(envelope->sender());
    reply.set_delay_warned((file->header().content_flags & queue::content_flag::delay_warned) != 0);
    add_recipients(reply, *envelope, *states);
    envelope->clear_recipients();
    *reply.mutable_envelope() = std::move(*envelope);
    add_attempts(reply, spool, id);
    return true;
}

bool known_route(const ipc::ExplainRequest& request, const ipc::ExplainRequest::Route& route)
{
    return std::ranges::any_of(request.routes(), [&](const auto& each) {
        return each.transport() == route.transport() && each.nexthop() == route.nexthop();
    });
}

// Where the recipients that wait would go now.
event::Task<void> find_routes(ipc::ExplainReply& reply, ipc::ExplainRequest& request, ipc::RewriteClient* rewrite,
                              std::string filter_nexthop)
{
    int resolved_count = 0;
    for (int i = 0; i < reply.recipients_size() && resolved_count < kMostResolved && rewrite; ++i) {
        auto& recipient = *reply.mutable_recipients(i);
        if (recipient.done())
            continue;
        ++resolved_count;
        const auto way = co_await rewrite->resolve(reply.envelope().sender(), recipient.recipient().address());
        if (!way || way->transport().empty())
            continue;
        ipc::ExplainRequest::Route route;
        route.set_transport(way->transport());
        route.set_nexthop(way->nexthop());
        route.set_address(way->recipient());
        ipc::divert_to_filter(reply.envelope(), filter_nexthop, route.address(), *route.mutable_transport(),
                              *route.mutable_nexthop());
        recipient.set_transport(route.transport());
        recipient.set_nexthop(route.nexthop());
        if (!known_route(request, route))
            *request.add_routes() = std::move(route);
    }
}

void merge(ipc::ExplainReply& reply, ipc::ExplainReply live)
{
    reply.set_source(ipc::ExplainReply::QUEUE_MANAGER);
    *reply.mutable_destinations() = std::move(*live.mutable_destinations());
    if (!live.known())
        return;
    auto& entry = *reply.mutable_entry();
    entry.set_queue(live.entry().queue());
    entry.set_reason(live.entry().reason());
    entry.set_next_try_seconds(live.entry().next_try_seconds());
    reply.set_active_since_seconds(live.active_since_seconds());
    reply.set_open_groups(live.open_groups());
}

void externalize_all(ipc::ExplainReply& reply)
{
    externalize(*reply.mutable_entry());
    for (auto& recipient : *reply.mutable_recipients()) {
        auto& address = *recipient.mutable_recipient();
        address.set_address(mail::to_external(address.address()));
    }
}

} // namespace

event::Task<ipc::ExplainReply> explain(const queue::Spool& spool, ipc::Client* qmgr, ipc::RewriteClient* rewrite,
                                       std::string filter_nexthop, std::string id)
{
    ipc::ExplainReply reply;
    // It may move from one queue to the next while we look.
    for (int attempt = 0; attempt < 2 && !reply.known(); ++attempt)
        for (const auto queue : kPlaces)
            if (!reply.known())
                read_file(reply, spool, queue, id);
    if (!reply.known())
        co_return reply;
    ipc::ExplainRequest request;
    request.set_queue_id(id);
    co_await find_routes(reply, request, rewrite, std::move(filter_nexthop));
    if (qmgr) {
        ipc::ExplainReply live;
        const auto told =
            co_await qmgr->call(ipc::Method::explain, request, live, {}, ipc::Client::Repeat::never, kPatience);
        if (told)
            merge(reply, std::move(live));
    }
    externalize_all(reply);
    co_return reply;
}

} // namespace facteur::showq
