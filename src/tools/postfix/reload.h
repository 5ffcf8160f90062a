// postfix reload: asks master to read its configuration again and shows what came of it.
#pragma once

#include "config/config.h"

#include <string>

namespace facteur::postfix_command {

// For a main.cf that does not load: a running system refuses it, in its log too, and stays as it is. An exit status.
int reload_refused(const std::string& directory, const config::Problem& problem);

} // namespace facteur::postfix_command
