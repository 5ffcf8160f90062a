// Starting one worker process: its descriptors, its environment, its program.
#pragma once

#include "base/fd.h"
#include "daemons/master/plan.h"

#include <sys/types.h>

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

namespace facteur::master {

// What all workers get from master.
struct WorkerGround {
    int lifeline = -1;    // read end: end of file tells that master is gone
    int status_pipe = -1; // write end
    int config = -1;      // a file with main.cf's text
    std::uint32_t generation = 0;
    std::vector<std::string> environment; // "NAME=value", as import_environment says
};

// The environment that programs get: import_environment's names, or its NAME=value as it stands; MAIL_CONFIG always.
std::vector<std::string> worker_environment(const config::Config& config);

// A file in memory with the text that this configuration was made of.
std::expected<UniqueFd, std::string> config_file(const config::Config& config);

// fork and exec. A program that cannot be executed ends with status 1 like one that refuses its configuration.
std::expected<pid_t, std::string> launch(const ServicePlan& plan, const std::vector<int>& sockets,
                                         const WorkerGround& ground, const LaunchOptions& options);

} // namespace facteur::master
