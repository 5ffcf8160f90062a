// postsuper -s and -p: files in their right places, leftovers of crashes removed. Source: postsuper(1).
#pragma once

#include "queue/spool.h"
#include "tools/postsuper/operations.h"

#include <span>
#include <string_view>

namespace facteur::postsuper {

// Every queue with message or log files.
inline constexpr std::string_view kStructuredQueues[] = {queue::kIncoming, queue::kActive,   queue::kDeferred,
                                                         queue::kHold,     queue::kMaildrop, queue::kBounce,
                                                         queue::kDefer,    queue::kTrace,    "flush"};

// Files that lie deeper or less deep than hash_queue_names and hash_queue_depth say are moved; empty hash directories
// that are of no use any more are removed.
void fix_structure(const queue::Spool& spool, std::string_view queue, Mode mode = Mode::perform);

// Files that nobody will finish: odd names and incomplete messages older than a week.
void purge_leftovers(const queue::Spool& spool, std::string_view queue, Mode mode = Mode::perform);

} // namespace facteur::postsuper
