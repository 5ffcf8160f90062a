// The skeleton of delivery agents (smtp, lmtp, local, virtual, pipe, error, discard): takes requests from qmgr, opens
// the queue file, and turns each recipient's outcome into its log line, its bounce/defer/trace record and its done
// mark.
//
// An agent implements deliver(). For every recipient it calls exactly one of sent(), bounced(), deferred(). A recipient
// without an outcome is deferred by the skeleton ("4.3.0 mail system error"), so nothing is lost by a forgotten branch.
#pragma once

#include "ipc/client.h"
#include "ipc/flags.h"
#include "ipc/messages.pb.h"
#include "queue/content.h"
#include "queue/queue_file.h"
#include "service/service.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::agent {

using TimePoint = std::chrono::system_clock::time_point;

// status "5.1.1" with a reason, and what the remote side said, if any. Source: RFC 3463, RFC 3464 s2.3.
ipc::Dsn make_dsn(std::string_view status, std::string_view reason);

class AgentServer;

// One request on its way. Lives until deliver() returned.
class Delivery {
public:
    [[nodiscard]] const ipc::DeliverRequest& request() const { return request_; }
    [[nodiscard]] const queue::Envelope& envelope() const { return request_.envelope(); }
    [[nodiscard]] std::string_view queue_id() const { return request_.queue_id(); }
    [[nodiscard]] std::string_view nexthop() const { return request_.nexthop(); }
    [[nodiscard]] int recipient_count() const { return request_.recipients_size(); }
    [[nodiscard]] const queue::Recipient& recipient(int index) const { return request_.recipients(index).recipient(); }
    [[nodiscard]] bool settled(int index) const { return settled_[static_cast<std::size_t>(index)]; }

    // CRLF lines. What it borrows lives as long as the delivery.
    [[nodiscard]] queue::Content content() const;

    // The third of "delays=a/b/c/d" ends now: the connection (or mailbox) is ready, transmission begins. An agent that
    // reuses a connection or has none to make calls it at once.
    void connection_ready();
    // How many messages this connection has carried, this one included; logged as conn_use from 2 on.
    void connection_use(int count) { connection_use_ = count; }

    // Outcomes. relay: "host[addr]:port", "local", "virtual", "none". dsn.reason is what the log line has in
    // parentheses; the action is filled in here. `action` of sent(): "delivered" or "relayed".
    event::Task<void> sent(int index, std::string_view relay, ipc::Dsn dsn, std::string_view action = "delivered");
    // The next hop announced DSN and was given NOTIFY=SUCCESS: it reports, so sent() does not.
    void success_reported_elsewhere(int index);
    // Becomes a deferral under soft_bounce, or when the bounce log cannot be written.
    event::Task<void> bounced(int index, std::string_view relay, ipc::Dsn dsn);
    event::Task<void> deferred(int index, std::string_view relay, ipc::Dsn dsn);

    // For an agent that expands a recipient into several (aliases): logs and records an outcome for each of them, under
    // the address given. The recipient itself is settled afterwards, once, with what they came to together.
    enum class Result { done, deferred };
    struct Target {
        int index = 0;              // the recipient that it comes from
        queue::Recipient recipient; // as logged and reported
    };
    event::Task<Result> report_sent(Target target, std::string_view relay, ipc::Dsn dsn,
                                    std::string_view action = "delivered");
    event::Task<Result> report_bounced(Target target, std::string_view relay, ipc::Dsn dsn);
    event::Task<Result> report_deferred(Target target, std::string_view relay, ipc::Dsn dsn);
    void settle(int index, Result result, const ipc::Dsn& dsn);

    // The destination itself failed (connection refused, greeting 4xx, ...): qmgr counts it against the destination.
    void hop_failed(ipc::Dsn why);
    [[nodiscard]] bool hop_has_failed() const { return reply_.hop_failed(); }

private:
    friend AgentServer;
    Delivery(AgentServer& owner, ipc::DeliverRequest request);
    enum class Log { bounce, defer, trace };
    // Appends the outcome to the message's log of that kind. False: it could not be written.
    event::Task<bool> append(Log log, const Target& target, std::string relay, ipc::Dsn dsn);
    event::Task<bool> append_trace_where_asked(const Target& target, std::string relay, ipc::Dsn dsn);
    event::Task<Result> report_verification(const Target& target, std::string relay, ipc::Dsn dsn);
    event::Task<Result> defer_anyway(const Target& target, std::string_view relay, ipc::Dsn dsn,
                                     std::string_view status_word);
    [[nodiscard]] bool verifying() const { return (request_.flags() & ipc::deliver_flag::trace_verify) != 0; }
    [[nodiscard]] Target whole(int index) const { return {index, recipient(index)}; }
    void log_outcome(const Target& target, std::string_view relay, std::string_view status_word,
                     const ipc::Dsn& dsn) const;

    // The queue file appeared meanwhile: locks it, and marks there what was done without it. False: not yet.
    bool adopt_file(UniqueFd file);
    void mark_done(const ipc::DeliverRecipient& recipient) const;

    AgentServer& owner_;
    ipc::DeliverRequest request_;
    ipc::DeliverReply reply_;
    UniqueFd file_;                            // of a message without a file: not open
    std::shared_ptr<const std::string> image_; // what the file would hold, then
    std::vector<bool> settled_;
    TimePoint started_;
    TimePoint ready_; // at the epoch: never connected
    int connection_use_ = 1;
};

// An agent program.
class Agent {
public:
    virtual ~Agent() = default;
    virtual std::expected<void, std::string> before_jail(service::Process&) { return {}; }
    virtual std::expected<void, std::string> after_jail(service::Process&) { return {}; }
    virtual event::Task<void> deliver(Delivery& delivery) = 0;
    virtual event::Task<void> drain();
    // False for agents that look at recipients only.
    [[nodiscard]] virtual bool needs_content() const { return true; }
    // See service::Server.
    [[nodiscard]] virtual bool faces_strangers() const { return false; }
};

// The whole of main() of a delivery agent.
int run_agent(int argc, char** argv, std::string_view program, std::unique_ptr<Agent> (*make)());

} // namespace facteur::agent
