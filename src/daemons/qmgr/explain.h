// What only the queue manager knows of a message and of the destinations it goes to: for postqueue --explain.
#pragma once

#include "daemons/qmgr/index.h"
#include "daemons/qmgr/scheduler.h"
#include "ipc/messages.pb.h"

namespace facteur::qmgr {

// Fills known, entry (without recipients), active_since_seconds and open_groups, and one destination for each route
// of the request. A destination that the scheduler has no record of is named, with in_use false.
ipc::ExplainReply explain(const ipc::ExplainRequest& request, const MessageIndex& index, const Scheduler& scheduler);

} // namespace facteur::qmgr
