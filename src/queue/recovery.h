// Bringing the queue to a consistent state before anything runs: after a power failure the journal has what the files
// lost. Also the crash clean-up of the directories that `postsuper -s` promises. Source: postsuper(1); states in
// docs/formats/queue-file.md.
#pragma once

#include "base/error.h"
#include "queue/spool.h"

#include <cstddef>
#include <expected>

namespace facteur::queue {

struct RecoveryReport {
    std::size_t replayed = 0;   // messages written again from the journal
    std::size_t repaired = 0;   // files that were damaged or there twice, and are not now
    std::size_t removed = 0;    // deliveries that the files had not seen
    std::size_t unfinished = 0; // files of messages that were never accepted, removed
    std::size_t orphaned = 0;   // logs for notices of messages that are gone, removed
};

// Works in the current directory (the queue directory), as the mail owner, while no daemon of the instance runs.
// Afterwards everything is on disk and every journal slot is clean. Takes the slot locks: EBUSY when a daemon
// or another recovery runs.
std::expected<RecoveryReport, SystemError> recover(const Spool& spool);

} // namespace facteur::queue
