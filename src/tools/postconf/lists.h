// What this build can do: -a, -A, -l, -m, -T.
#pragma once

#include "tools/postconf/options.h"

namespace facteur::postconf {

void list_capabilities(const Options& options);
// False for an unknown mode, which is warned of.
bool show_tls(const std::string& mode);

} // namespace facteur::postconf
