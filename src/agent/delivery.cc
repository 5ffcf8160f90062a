#include "agent/agent.h"
#include "agent/agent_server.h"
#include "agent/delivery_log.h"
#include "base/log.h"
#include "base/text.h"
#include "mail/address.h"

#include <sys/file.h>

#include <cerrno>

namespace facteur::agent {

namespace {

using std::chrono::microseconds;

// The first digit of a status says what became of the recipient; a wrong one would mislead the sender.
void require_class(ipc::Dsn& dsn, char status_class, std::string_view otherwise)
{
    if (!dsn.status().empty() && dsn.status()[0] == status_class)
        return;
    log::warning("ignoring dsn code \"{}\" where the class must be {}", dsn.status(), status_class);
    dsn.set_status(std::string(otherwise));
}

microseconds since(TimePoint later, TimePoint earlier)
{
    return std::max(std::chrono::duration_cast<microseconds>(later - earlier), microseconds(0));
}

TimePoint at(std::int64_t micros)
{
    return TimePoint(std::chrono::duration_cast<TimePoint::duration>(microseconds(micros)));
}

} // namespace

ipc::Dsn make_dsn(std::string_view status, std::string_view reason)
{
    ipc::Dsn dsn;
    dsn.set_status(std::string(status));
    dsn.set_reason(std::string(reason));
    return dsn;
}

Delivery::Delivery(AgentServer& owner, ipc::DeliverRequest request)
    : owner_(owner), request_(std::move(request)), settled_(static_cast<std::size_t>(request_.recipients_size())),
      started_(std::chrono::system_clock::now())
{
}

queue::Content Delivery::content() const
{
    return {image_, file_.get(), request_.content_offset(), request_.content_size()};
}

bool Delivery::adopt_file(UniqueFd file)
{
    if (::flock(file.get(), LOCK_SH | LOCK_NB) != 0)
        return false;
    file_ = std::move(file);
    for (const auto number : reply_.delivered())
        for (const auto& recipient : request_.recipients())
            if (recipient.number() == number)
                mark_done(recipient);
    return true;
}

void Delivery::connection_ready()
{
    ready_ = std::chrono::system_clock::now();
}

void Delivery::hop_failed(ipc::Dsn why)
{
    reply_.set_hop_failed(true);
    *reply_.mutable_hop_status() = std::move(why);
}

void Delivery::log_outcome(const Target& target, std::string_view relay, std::string_view status_word,
                           const ipc::Dsn& dsn) const
{
    const TimePoint now = std::chrono::system_clock::now();
    const TimePoint arrival = at(envelope().arrival_seconds() * 1'000'000 + envelope().arrival_microseconds());
    const TimePoint active = at(request_.active_microseconds());
    const bool connected = ready_ != TimePoint{};

    OutcomeLine line;
    line.delays = {.before_queue_manager = since(active, arrival),
                   .in_queue_manager = since(started_, active),
                   .connection_setup = connected ? since(ready_, started_) : microseconds(0),
                   .transmission = since(now, connected ? ready_ : started_)};
    const bool internal = owner_.outcomes().internal_addresses;
    const auto shown = [internal](const std::string& address) {
        return internal ? address : mail::to_external(address);
    };
    const std::string to = shown(target.recipient.address());
    const std::string original = shown(target.recipient.original());
    line.queue_id = queue_id();
    line.recipient = to;
    line.original = original;
    line.relay = relay;
    line.connection_use = connection_use_;
    line.dsn = dsn.status();
    line.status = status_word;
    line.reason = dsn.reason();
    log::info("{}", format_outcome(line, owner_.outcomes().delay_decimals));
}

event::Task<bool> Delivery::append(Log kind, const Target& target, std::string relay, ipc::Dsn dsn)
{
    ipc::BounceAppend request;
    request.set_flags(request_.flags());
    request.set_queue_id(request_.queue_id());
    ipc::LogRecipient& entry = *request.mutable_entry();
    *entry.mutable_recipient() = target.recipient;
    entry.set_status_offset(request_.recipients(target.index).status_offset());
    *entry.mutable_dsn() = std::move(dsn);
    entry.set_relay(relay);
    ipc::Client& service = kind == Log::bounce ? owner_.bounce() : kind == Log::defer ? owner_.defer() : owner_.trace();
    ipc::BounceReply reply;
    const auto called = co_await service.call(ipc::Method::bounce_append, request, reply);
    if (!called)
        log::warning("{}: {}: {}", queue_id(), service.socket_path(), ipc::to_string(called.error()));
    // Even a failed call may have written.
    if (kind == Log::bounce)
        reply_.set_bounced(true);
    if (kind == Log::trace)
        reply_.set_traced(true);
    co_return called&& reply.ok();
}

// A record for the report that sendmail -v or DSN NOTIFY=SUCCESS asked for. True when there was nothing to do.
event::Task<bool> Delivery::append_trace_where_asked(const Target& target, std::string relay, ipc::Dsn dsn)
{
    const bool verbose = (request_.flags() & ipc::deliver_flag::trace_record) != 0;
    const std::uint32_t notify = target.recipient.dsn_notify();
    const bool cleared = (request_.flags() & ipc::deliver_flag::delay_cleared) != 0 && notify != ipc::notify::never;
    const bool success = dsn.status()[0] == '2' && (cleared || (notify & ipc::notify::success) != 0);
    if (!verbose && !success)
        co_return true;
    const bool appended = co_await append(Log::trace, target, std::move(relay), std::move(dsn));
    co_return appended;
}

// sendmail -bv: nothing is delivered, bounced or deferred; the sender gets a report.
event::Task<Delivery::Result> Delivery::report_verification(const Target& target, std::string relay, ipc::Dsn dsn)
{
    const bool appended = co_await append(Log::trace, target, relay, dsn);
    if (!appended)
        co_return Result::deferred;
    log_outcome(target, relay, dsn.action(), dsn);
    co_return Result::done;
}

event::Task<Delivery::Result> Delivery::report_sent(Target target, std::string_view relay, ipc::Dsn dsn,
                                                    std::string_view action)
{
    require_class(dsn, '2', "2.0.0");
    if (verifying()) {
        dsn.set_action("deliverable");
        const Result verified = co_await report_verification(target, std::string(relay), std::move(dsn));
        co_return verified;
    }
    dsn.set_action(std::string(action));
    const bool traced = co_await append_trace_where_asked(target, std::string(relay), dsn);
    if (!traced) {
        auto failed = make_dsn("4.3.0", fmt::format("{}: {} service failed", queue_id(), owner_.trace().socket_path()));
        const Result result = co_await defer_anyway(target, relay, std::move(failed), "deferred");
        co_return result;
    }
    log_outcome(target, relay, "sent", dsn);
    co_return Result::done;
}

event::Task<Delivery::Result> Delivery::report_bounced(Target target, std::string_view relay, ipc::Dsn dsn)
{
    require_class(dsn, '5', "5.0.0");
    if (verifying()) {
        dsn.set_action("undeliverable");
        const Result verified = co_await report_verification(target, std::string(relay), std::move(dsn));
        co_return verified;
    }
    if (owner_.outcomes().soft_bounce) {
        dsn.mutable_status()->front() = '4';
        const Result result = co_await defer_anyway(target, relay, std::move(dsn), "SOFTBOUNCE");
        co_return result;
    }
    dsn.set_action("failed");
    bool recorded = co_await append(Log::bounce, target, std::string(relay), dsn);
    if (recorded)
        recorded = co_await append_trace_where_asked(target, std::string(relay), dsn);
    if (!recorded) {
        auto failed = make_dsn("4.3.0", "bounce or trace service failure");
        const Result result = co_await defer_anyway(target, relay, std::move(failed), "deferred");
        co_return result;
    }
    log_outcome(target, relay, "bounced", dsn);
    co_return Result::done;
}

event::Task<Delivery::Result> Delivery::report_deferred(Target target, std::string_view relay, ipc::Dsn dsn)
{
    require_class(dsn, '4', "4.0.0");
    if (verifying()) {
        dsn.set_action("undeliverable");
        const Result verified = co_await report_verification(target, std::string(relay), std::move(dsn));
        co_return verified;
    }
    const Result result = co_await defer_anyway(target, relay, std::move(dsn), "deferred");
    co_return result;
}

// The message stays in the queue whether or not a record of the reason can be kept.
event::Task<Delivery::Result> Delivery::defer_anyway(const Target& target, std::string_view relay, ipc::Dsn dsn,
                                                     std::string_view status_word)
{
    dsn.set_action("delayed");
    const bool recorded = co_await append(Log::defer, target, std::string(relay), dsn);
    if (!recorded)
        log::warning("{}: {} service failure", queue_id(), owner_.defer().socket_path());
    log_outcome(target, relay, status_word, dsn);
    const bool traced = co_await append_trace_where_asked(target, std::string(relay), dsn);
    if (!traced)
        log::warning("{}: {} service failure", queue_id(), owner_.trace().socket_path());
    co_return Result::deferred;
}

event::Task<void> Delivery::sent(int index, std::string_view relay, ipc::Dsn dsn, std::string_view action)
{
    const Result result = co_await report_sent(whole(index), relay, dsn, action);
    settle(index, result, dsn);
}

event::Task<void> Delivery::bounced(int index, std::string_view relay, ipc::Dsn dsn)
{
    const Result result = co_await report_bounced(whole(index), relay, dsn);
    settle(index, result, dsn);
}

event::Task<void> Delivery::deferred(int index, std::string_view relay, ipc::Dsn dsn)
{
    const Result result = co_await report_deferred(whole(index), relay, dsn);
    settle(index, result, dsn);
}

void Delivery::success_reported_elsewhere(int index)
{
    queue::Recipient& recipient = *request_.mutable_recipients(index)->mutable_recipient();
    recipient.set_dsn_notify(recipient.dsn_notify() & ~ipc::notify::success);
}

void Delivery::settle(int index, Result result, const ipc::Dsn& dsn)
{
    settled_[static_cast<std::size_t>(index)] = true;
    const ipc::DeliverRecipient& recipient = request_.recipients(index);
    if (result == Result::deferred) {
        reply_.add_deferred(recipient.number());
        reply_.add_deferred_reason(dsn.reason());
        *reply_.mutable_last_deferral() = dsn;
        return;
    }
    reply_.add_delivered(recipient.number());
    if (file_)
        mark_done(recipient);
}

void Delivery::mark_done(const ipc::DeliverRecipient& recipient) const
{
    if (const auto marked = queue::mark_recipient_done(file_.get(), recipient.status_offset()); !marked)
        log::warning("{}: cannot mark a recipient as done: {}", queue_id(), marked.error().message());
}

} // namespace facteur::agent
