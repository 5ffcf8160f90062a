// Programs run on behalf of an instance.
#pragma once

#include "tools/postmulti/instances.h"

#include <expected>
#include <string>
#include <vector>

namespace facteur::postmulti {

// What every program that we run finds in its environment: PATH with command_directory first, MAIL_CONFIG, the shared
// directories. For the whole life of this process.
void export_shared(const config::Config& primary, int verbosity);

// Runs a command, found along PATH, with the instance's variables. Its exit status; 128 + n when signal n ended it. A
// command that cannot be run says so itself and has the status 1.
int run_for(const Instance& instance, const std::vector<std::string>& command);

// Runs a program of command_directory for the instance's configuration. Error: which one failed.
std::expected<void, std::string> run_tool(const config::Config& primary, const std::string& program,
                                          const std::string& config_directory,
                                          const std::vector<std::string>& arguments);

} // namespace facteur::postmulti
