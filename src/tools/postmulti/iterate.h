// One thing for all instances in turn: a line each, a postfix(1) command, any command. Source: postmulti(1), "iterator
// mode"; postfix-wrapper(5).
#pragma once

#include "tools/postmulti/instances.h"

namespace facteur::postmulti {

// An exit status: 0 when no instance failed.
int iterate(const config::Config& primary, const std::vector<Instance>& instances, const Options& options);

} // namespace facteur::postmulti
