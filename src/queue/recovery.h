// Bringing the queue to a consistent state before anything runs: after a power failure the journal has what the files
// lost. Also the crash clean-up of the directories that `postsuper -s` promises. Source: postsuper(1); states in
// docs/formats/queue-file.md.
#pragma once

#include "base/error.h"
#include "base/fd.h"
#include "queue/outcomes.h"
#include "queue/spool.h"

#include <cstddef>
#include <expected>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

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

// --- while the instance runs ---

// What the live records of some slots say.
struct Replay {
    struct Place {
        std::string segment;
        std::uint64_t offset = 0; // of the payload
        std::size_t size = 0;
    };
    std::map<std::string, Place, std::less<>> messages;
    std::set<std::string, std::less<>> removed;
    std::map<std::string, std::vector<std::uint64_t>, std::less<>> done; // offsets of state bytes
};
// Whether there is a file in the mode of a complete one.
bool finished_file(const std::string& path);

// Removes what a process that died was making: a file of this message in mode 0600. To be called before a file is taken
// for the message, by whoever knows that nobody is making it now.
void clear_unfinished(const Spool& spool, std::string_view id);

// Whether a writer of this name died and left records.
bool abandoned(std::string_view name);
// Of all slots of this writer ("qmgr"), running or not.
std::expected<Replay, SystemError> read_slots(std::string_view name);

// The messages that some journal has a record of, live or not. For clients that ask again.
std::set<std::string, std::less<>> journalled_messages();

// The slot of a cleanup that died: its messages may have no file. Only the queue manager empties such slots, because it
// knows which of them are gone. Blocks: for worker threads.
class AbandonedSlot {
public:
    // Those whose writer is gone, each locked as long as the object lives.
    static std::vector<AbandonedSlot> take_all(std::string_view name);

    [[nodiscard]] const std::string& name() const { return slot_; }
    // The messages of its live records, without those that are known to be gone, or have a finished file. `known`: of
    // the queue managers, read after the slot was taken.
    std::expected<std::vector<std::string>, SystemError> orphans(const Spool& spool, const Replay& known) const;
    // Writes them into `incoming`, with what is done marked; then flushes, and the slot is clean.
    std::expected<void, SystemError> empty(const Spool& spool, const std::vector<std::string>& ids,
                                           const Outcomes& outcomes) const;

private:
    AbandonedSlot(std::string slot, UniqueFd lock) : slot_(std::move(slot)), lock_(std::move(lock)) {}
    std::string slot_;
    UniqueFd lock_;
};

// Sets the state bytes of a queue file's recipients in memory: offsets from the journal, numbers from an outcome log.
void mark_done(std::string& file, const std::vector<std::uint64_t>& offsets, const std::set<std::uint32_t>& numbers);

// The same in the file of a message, wherever it is.
void mark_in_file(const Spool& spool, std::string_view id, const std::vector<std::uint64_t>& offsets,
                  const std::set<std::uint32_t>& numbers);

// Makes a queue file of its bytes, mode 0700, not flushed. EEXIST: there is one. The descriptor is open for reading and
// writing and holds a shared lock, as an agent's.
std::expected<UniqueFd, SystemError> make_queue_file(const Spool& spool, std::string_view queue, std::string_view id,
                                                     std::string_view bytes);

// Gives a message its file in `incoming`: the record's payload, with what is known of finished recipients marked.
std::expected<void, SystemError> file_record(const Spool& spool, const std::string& id, std::string payload,
                                             const Replay& known, const Outcomes& outcomes);

} // namespace facteur::queue
