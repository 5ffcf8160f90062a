// Warns when mail for one destination fills the active queue, so that other mail has to wait.
// Source: postconf(5), qmgr_clog_warn_time.
#pragma once

#include "daemons/qmgr/destination.h"

#include <string>
#include <vector>

namespace facteur::qmgr {

// What to say; nothing while the destination leaves room. `active` messages are in the active queue, `limit` may be.
std::vector<std::string> clog_warning(const Destination& destination, std::size_t active, std::size_t limit);

} // namespace facteur::qmgr
