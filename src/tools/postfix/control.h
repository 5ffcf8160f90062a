// The verbs of postfix(1): each returns an exit status, and says what it did in Postfix's words, which scripts read.
#pragma once

#include "config/config.h"

#include <optional>
#include <string>
#include <vector>

namespace facteur::postfix_command {

struct Context {
    const config::Config& config;
    std::vector<std::string> arguments; // after the verb
    int verbosity = 0;
    bool debugger = false;
};

// Runs the verb. Unknown ones are refused with the list of the others.
int run_verb(const std::string& verb, const Context& context);

int start(const Context& context);
int start_foreground(const Context& context);
int stop(const Context& context);
int abort_all(const Context& context);
int reload(const Context& context);
int status(const Context& context);
int check(const Context& context);
int flush(const Context& context);
int set_permissions(const Context& context);
int upgrade_configuration(const Context& context);
int logrotate(const Context& context);
int explain(const Context& context);

// What is wrong with main.cf, master.cf and their tables goes to the log. Returns what a system must not start with.
std::optional<std::string> warn_of_problems(const config::Config& config);

} // namespace facteur::postfix_command
