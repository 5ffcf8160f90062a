// The resident process: opens every service's sockets, starts workers on demand, replaces them on reload, ends them.
// Source: master(8), master(5).
#pragma once

#include "base/fd.h"
#include "config/config.h"
#include "daemons/master/plan.h"
#include "daemons/master/service.h"
#include "event/loop.h"
#include "service/instance.h"

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace facteur::master {

class Master {
public:
    struct Options {
        int verbosity = 0;
        bool debugger = false;
        std::optional<long> exit_after_seconds;
    };
    Master(event::Loop& loop, config::Config config, Options options);

    // Locks, then opens all sockets. An error ends the program.
    std::expected<void, std::string> open();
    // From here on services are served; returns when told to end.
    void run();

private:
    std::expected<void, std::string> lock();
    std::expected<void, std::string> open_pipes();
    event::Task<void> read_reports();
    void reap();
    void reload();
    // What changed, a line each; or why nothing did.
    std::expected<std::vector<std::string>, std::string> reload_or_explain();
    [[nodiscard]] std::vector<config::MasterEntry> running_entries() const;
    // Opens what the plan needs and no present service has.
    std::expected<void, std::string> open_new_sockets(const Plan& plan, std::vector<OpenSocket>& fresh) const;
    void replace_services(Plan plan, std::vector<OpenSocket> sockets);
    void terminate(int signal);
    void end_when_alone();
    void log_missing(const Plan& plan) const;

    event::Loop& loop_;
    config::Config config_;
    Options options_;
    Ground ground_;
    std::optional<service::Account> owner_;
    std::optional<service::InstanceLock> pid_lock_;
    std::optional<service::InstanceLock> data_lock_;
    UniqueFd lifeline_read_;
    UniqueFd lifeline_write_;
    UniqueFd status_read_;
    UniqueFd status_write_;
    UniqueFd config_file_; // for workers: what was accepted, whatever becomes of main.cf
    std::unique_ptr<event::Watch> status_watch_;
    std::vector<std::unique_ptr<Service>> services_;
    std::vector<std::unique_ptr<Service>> leaving_; // no longer in master.cf, with workers still there
    std::unique_ptr<event::Loop::Timer> kill_timer_;
    std::unique_ptr<event::Loop::Timer> exit_timer_;
    bool terminating_ = false;
};

// master's own log: straight to maillog_file, because the logging service is one of its children.
void set_master_log(const config::Config& config);

} // namespace facteur::master
