// What is to run: main.cf and master.cf as decisions, made before anything is changed, so that a configuration that is
// wrong leaves a running system as it is.
#pragma once

#include "config/config.h"
#include "config/master_cf.h"
#include "daemons/master/endpoint.h"

#include <chrono>
#include <expected>
#include <optional>
#include <string>
#include <vector>

namespace facteur::master {

struct ServicePlan {
    config::MasterEntry entry;
    std::vector<Endpoint> endpoints;
    std::string listen_name;  // for warnings
    std::string program_path; // daemon_directory/program
    int process_limit = 0;    // clients at once; 0: no limit
    int workers = 1;          // processes at once
    bool adapts_to_stress = false;
    bool must_run = false; // woken up from the start: never waits for a client
    std::chrono::milliseconds throttle_time{};
};

struct Plan {
    std::vector<ServicePlan> services;
    std::vector<std::string> missing; // a line for each service whose program is not there
};

// Error: one line for a person, naming file and line.
std::expected<Plan, std::string> make_plan(const config::Config& config);

// The first service whose -o settings its program would refuse, as a line naming file and line; nothing when all are
// fine. Such a service fails alone: a start goes on without it, a reload must not bring it.
std::optional<std::string> find_unusable_service(const Plan& plan, const config::Config& config);

// How many processes serve `entry` together, on a machine with `cores` cores.
int worker_count(const config::MasterEntry& entry, int process_limit, long service_workers, unsigned cores);

// A worker's command line, as ps(1) shows it: "smtpd -n smtp -t inet -u -c -o stress= -s 2".
struct LaunchOptions {
    bool stress = false;
    int verbosity = 0;
    bool debugger = false;
};
std::vector<std::string> command_line(const ServicePlan& plan, const LaunchOptions& options);

// master_service_disable: "name/type", or "type" for all services of that type; "!" negates.
bool is_disabled(const config::MasterEntry& entry, std::string_view list);

} // namespace facteur::master
