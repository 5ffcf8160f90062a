// A message as the queue manager knows it. Waiting ones are small, a few hundred bytes with sender, recipients and
// reason, so that a listing of a million needs no file; what delivery needs hangs off `active`.
#pragma once

#include "base/fd.h"
#include "daemons/qmgr/shared_text.h"
#include "queue/journal.h"
#include "queue/queue_file.pb.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::ipc {
class ArrivedReply;
}

namespace facteur::qmgr {

// Which mail goes first. Within a class, jobs are served by arrival and size (job_queue.h).
enum class Priority : std::uint8_t { high, normal, bulk };

// Where a message stands. The name of the queue directory follows from it.
enum class Place : std::uint8_t {
    incoming, // complete, waits for room in the active queue
    active,
    deferred, // waits for its time
    hold,     // waits for the administrator
};
std::string_view queue_name(Place place);

// A message without a queue file: what stands for it, and how cleanup is told that it is not needed there any more.
struct Fileless {
    queue::RecordPlace record;
    std::function<void(const ipc::ArrivedReply&)> answer;
};

// A message being delivered.
struct Active {
    queue::Envelope envelope; // with all recipients of the file
    std::uint64_t content_offset = 0;
    std::uint64_t content_size = 0;
    std::uint32_t content_flags = 0;
    std::uint64_t status_offset = 0;
    std::int64_t since_microseconds = 0; // when it entered the active queue
    int open_entries = 0;                // groups of recipients that agents have, or that wait for one
    int with_agents = 0;                 // of these, the ones that agents have
    std::unique_ptr<Fileless> fileless;  // there is no queue file
    UniqueFd kept;                       // the file was made while agents had the message: locked and marked for them
    bool resolving = false;
    bool some_deferred = false;
    bool answer_lost = false;      // an agent died with recipients of this message: try again soon
    bool unrecorded = false;       // recipients were deferred of whom the defer service knows nothing
    bool removed = false;          // the administrator took the file away
    bool may_have_bounced = false; // its bounce log may exist
    bool may_be_traced = false;    // its trace log may exist
    Priority priority = Priority::normal;
    std::int64_t not_before_seconds = 0;     // its time window is closed until then
    std::vector<std::uint32_t> unrouted;     // recipients whose turn to be resolved has not come, last one first
    std::size_t under_way = 0;               // recipients in entries
    std::vector<bool> done;                  // of the envelope's recipients: nothing more to do
    std::vector<SharedText> deferral_reason; // of the envelope's recipients; empty when none was deferred yet
    std::string last_reason;
};

// A recipient that is still to be delivered to.
struct PendingRecipient {
    std::string_view address;
    SharedText reason; // of the last deferral; may be empty
};

struct Message {
    std::string id;
    SharedText sender;
    std::int64_t arrival_seconds = 0;
    std::int64_t next_try_seconds = 0;
    std::uint64_t size = 0;
    std::uint32_t seen_in_scan = 0;  // round of the last directory scan that met its file
    std::uint32_t schedule_slot = 0; // in MessageIndex's schedule, counted from one; 0: not scheduled
    Place place = Place::incoming;
    bool deferral_logged = false; // the defer service has a log of this round
    bool expire_now = false;      // postsuper -e
    std::unique_ptr<Active> active;

    // What a listing shows of a message that waits. While it is active the envelope tells.
    void set_pending(const std::vector<PendingRecipient>& recipients);
    void each_pending(const std::function<void(std::string_view address, const SharedText& reason)>& visit) const;

    // Asks the processor for what a listing will look at soon: the message, and later its addresses. In a large queue
    // each lies somewhere else, and waiting for memory would be most of the work.
    void fetch() const
    {
        __builtin_prefetch(this);
        __builtin_prefetch(reinterpret_cast<const char*>(this) + sizeof *this - 1);
    }
    void fetch_pending() const { __builtin_prefetch(addresses_.get()); }

private:
    std::unique_ptr<char[]> addresses_;                // each ends with a zero byte; an empty one ends them all
    SharedText reason_;                                // of all of them, or of the first
    std::unique_ptr<std::vector<SharedText>> reasons_; // where they differ
};

} // namespace facteur::qmgr
