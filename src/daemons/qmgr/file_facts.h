// What the files tell of a message that the queue manager does not know yet. Reads files: for worker threads.
#pragma once

#include "daemons/qmgr/message.h"
#include "queue/spool.h"

#include <string>
#include <vector>

namespace facteur::qmgr {

struct FileFacts {
    enum class State {
        present,
        gone,    // not there any more, or still being written
        corrupt, // no queue file
    };
    struct Recipient {
        std::string address;
        std::string reason; // of the last deferral, from the defer log
    };
    std::string id;
    Place place = Place::incoming;
    State state = State::gone;
    std::string sender;
    std::int64_t arrival_seconds = 0;
    std::int64_t next_try_seconds = 0;
    std::uint64_t size = 0;
    bool expire_now = false; // postsuper -e marked it
    bool busy = false;       // an agent works on it
    bool fresh = false;      // changed within the last seconds
    std::vector<Recipient> pending;
};

FileFacts read_facts(const queue::Spool& spool, Place place, std::string id);

} // namespace facteur::qmgr
