// What happened to a message, from its file and its defer log, from trivial-rewrite and from the queue manager.
#pragma once

#include "event/task.h"
#include "ipc/client.h"
#include "ipc/messages.pb.h"
#include "ipc/rewrite_client.h"
#include "queue/spool.h"

#include <string>

namespace facteur::showq {

// `known` is false when no queue has such a message. The services may be null; all outlive the task. Addresses
// are in external form. `filter_nexthop`: default_filter_nexthop.
event::Task<ipc::ExplainReply> explain(const queue::Spool& spool, ipc::Client* qmgr, ipc::RewriteClient* rewrite,
                                       std::string filter_nexthop, std::string id);

} // namespace facteur::showq
