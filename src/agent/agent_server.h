// What all deliveries of one agent process share: the agent itself, the parameters that shape outcomes, and the
// streams to bounce, defer and trace.
#pragma once

#include "agent/agent.h"
#include "queue/outcomes.h"
#include "queue/record_reader.h"
#include "queue/spool.h"

#include <deque>
#include <map>
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
    [[nodiscard]] service::Side side() const override { return service::Side::delivering; }
    event::Task<void> request(ipc::Request request, std::shared_ptr<ipc::Channel> from) override;
    event::Task<void> drain() override;
    [[nodiscard]] bool faces_strangers() const override { return agent_->faces_strangers(); }

    [[nodiscard]] const Outcomes& outcomes() const { return outcomes_; }
    ipc::Client& bounce() { return *bounce_; }
    ipc::Client& defer() { return *defer_; }
    ipc::Client& trace() { return *trace_; }

private:
    // Opens and locks the queue file, or reads the journal's record of a message that has none.
    enum class Opened { ready, removed, unusable };
    Opened open(Delivery& delivery, std::string& why);
    Opened open_file_of(Delivery& delivery, std::string& why) const;
    Opened open_record_of(Delivery& delivery, std::string& why);
    event::Task<void> run(Delivery& delivery);

    // --- messages without a file ---
    // Should their queue manager die, what became of them must not be lost with it: see queue/outcomes.h.
    struct Fileless {
        Delivery* delivery = nullptr;
        std::shared_ptr<ipc::Channel> channel; // to the queue manager that waits for the answer
        event::Clock::time_point begun;
        bool taken = false; // the log says that we have it
    };
    struct Answered {
        event::Clock::time_point when;
        std::weak_ptr<ipc::Channel> channel;
        std::string queue_id;
        std::vector<std::uint32_t> done;
    };
    void watch();
    void look();
    void look_at(Fileless& fileless);
    void answered(const Fileless& fileless);
    void log_done(std::string_view queue_id, std::uint32_t number);
    queue::OutcomeLog* outcome_log();

    std::unique_ptr<Agent> agent_;
    service::Process* process_ = nullptr;
    std::optional<queue::Spool> spool_;
    queue::RecordReader records_;
    std::map<const Delivery*, Fileless> fileless_;
    std::deque<Answered> answered_; // a moment ago: the queue manager may not have seen the answer
    std::optional<queue::OutcomeLog> outcome_log_;
    std::unique_ptr<event::Loop::Timer> look_timer_;
    Outcomes outcomes_;
    std::unique_ptr<ipc::Client> bounce_;
    std::unique_ptr<ipc::Client> defer_;
    std::unique_ptr<ipc::Client> trace_;
};

} // namespace facteur::agent
