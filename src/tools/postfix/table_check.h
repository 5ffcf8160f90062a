// Lookup tables that a configuration names: can they be opened, and do they name transports that exist?
#pragma once

#include "config/config.h"

#include <vector>

namespace facteur::postfix_command {

// Opens every "type:name" in main.cf and in master.cf's -o settings. A database older than its source file is warned
// of by the table itself, in Postfix's words.
std::vector<config::Problem> check_tables(const config::Config& config);

} // namespace facteur::postfix_command
