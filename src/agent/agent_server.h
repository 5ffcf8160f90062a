// What all deliveries of one agent process share: the agent itself, the parameters that shape outcomes, and the
// streams to bounce, defer and trace.
#pragma once

#include "agent/agent.h"
#include "queue/spool.h"

#include <optional>

namespace facteur::agent {

struct Outcomes {
    bool soft_bounce = false;
    bool internal_addresses = false; // info_log_address_format
    int delay_decimals = 2;
};

class AgentServer final : public service::Server {
public:
    explicit AgentServer(std::unique_ptr<Agent> agent) : agent_(std::move(agent)) {}

    std::expected<void, std::string> before_jail(service::Process& process) override;
    std::expected<void, std::string> after_jail(service::Process& process) override;
    [[nodiscard]] Kind kind() const override { return Kind::requests; }
    event::Task<void> request(ipc::Request request, std::shared_ptr<ipc::Channel> from) override;
    event::Task<void> drain() override;
    [[nodiscard]] bool faces_strangers() const override { return agent_->faces_strangers(); }

    [[nodiscard]] const Outcomes& outcomes() const { return outcomes_; }
    ipc::Client& bounce() { return *bounce_; }
    ipc::Client& defer() { return *defer_; }
    ipc::Client& trace() { return *trace_; }

private:
    // Opens and locks the queue file.
    enum class Opened { ready, removed, unusable };
    Opened open(Delivery& delivery, std::string& why) const;
    event::Task<void> run(Delivery& delivery);

    std::unique_ptr<Agent> agent_;
    std::optional<queue::Spool> spool_;
    Outcomes outcomes_;
    std::unique_ptr<ipc::Client> bounce_;
    std::unique_ptr<ipc::Client> defer_;
    std::unique_ptr<ipc::Client> trace_;
};

} // namespace facteur::agent
