// A message as the queue manager knows it. Waiting ones are small; what delivery needs hangs off `active`.
#pragma once

#include "queue/queue_file.pb.h"

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace facteur::qmgr {

struct Entry;

// Where a message stands. The name of the queue directory follows from it.
enum class Place : std::uint8_t {
    incoming, // complete, waits for room in the active queue
    active,
    deferred, // waits for its time
    hold,     // waits for the administrator
};
std::string_view queue_name(Place place);

// A message being delivered.
struct Active {
    queue::Envelope envelope; // with all recipients of the file
    std::uint64_t content_offset = 0;
    std::uint64_t content_size = 0;
    std::uint32_t content_flags = 0;
    std::uint64_t status_offset = 0;
    std::int64_t since_microseconds = 0; // when it entered the active queue
    int open_entries = 0;                // groups of recipients that agents have, or that wait for one
    bool resolving = false;
    bool some_deferred = false;
    bool answer_lost = false;              // an agent died with recipients of this message: try again soon
    bool removed = false;                  // the administrator took the file away
    bool may_have_bounced = false;         // its bounce log may exist
    bool may_be_traced = false;            // its trace log may exist
    std::vector<std::uint64_t> newly_done; // state bytes of recipients finished in this round
    std::string last_reason;
};

struct Message {
    std::string id;
    std::string sender;
    std::string reason; // of the last deferral
    std::int64_t arrival_seconds = 0;
    std::int64_t next_try_seconds = 0;
    std::uint64_t size = 0;
    std::uint32_t seen_in_scan = 0; // round of the last directory scan that met its file
    std::uint32_t recipients = 0;
    Place place = Place::incoming;
    bool deferral_logged = false; // the defer service has a log of this round
    bool expire_now = false;      // postsuper -e
    std::unique_ptr<Active> active;
};

} // namespace facteur::qmgr
