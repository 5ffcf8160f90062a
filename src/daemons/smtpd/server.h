// smtpd as a daemon: builds the context, then runs one session a connection.
#pragma once

#include "daemons/smtpd/context.h"
#include "daemons/smtpd/dry_run.h"
#include "service/service.h"

#include <memory>
#include <optional>

namespace facteur::smtpd {

class SmtpServer final : public service::Server {
public:
    std::expected<void, std::string> before_jail(service::Process& process) override;
    std::expected<void, std::string> after_jail(service::Process& process) override;
    [[nodiscard]] Kind kind() const override { return Kind::connections; }
    [[nodiscard]] service::Side side() const override { return service::Side::receiving; }
    [[nodiscard]] bool faces_strangers() const override { return true; }
    event::Task<void> connection(net::Accepted accepted) override;

private:
    void watch_tables();
    std::expected<void, std::string> prepare_for_stress(service::Process& process);
    Context& context_of_next_session();

    service::Process* process_ = nullptr;
    std::unique_ptr<Context> context_;
    // With stress=yes, for sessions that begin while all places are taken, and for a while after. STRESS_README.
    std::optional<config::Config> stressed_config_;
    std::unique_ptr<Context> stressed_;
    event::Clock::time_point stressed_until_{};
    int sessions_ = 0;
    std::unique_ptr<Services> services_;
    std::unique_ptr<DryRun> dry_run_; // `postfix explain` asks
    std::unique_ptr<event::Loop::Timer> table_check_;
};

std::unique_ptr<service::Server> make_server();

} // namespace facteur::smtpd
