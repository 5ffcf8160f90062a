// Queue recovery before a start: in a process with no more rights than the daemons have.
#pragma once

#include "config/config.h"

#include <expected>
#include <string>

namespace facteur::postfix_command {

// Restores what the queue lost in a crash and logs how much it was. Workers that outlived their master are waited for.
std::expected<void, std::string> recover_queue(const config::Config& config);

} // namespace facteur::postfix_command
