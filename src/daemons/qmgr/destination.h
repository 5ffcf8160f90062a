// Transports and their destinations, with the concurrency window of each destination. Source: SCHEDULER_README.
//
//            success: window grows                      failure: window shrinks, cohorts of failures are counted
//     +--------------------------+                    +------------------------------------------------------+
//     |                          |                    |                                                      |
//     +--> ALIVE (window >= 1) --+--------------------+--> window < 1, or too many failed cohorts --> DEAD --+
//               ^                                                                                     |
//               +------------ minimal_backoff_time is over, or an administrator flushes --------------+
//
// Mail for a dead destination is deferred at once, without an attempt.
#pragma once

#include "daemons/qmgr/settings.h"
#include "event/loop.h"
#include "ipc/client.h"
#include "ipc/messages.pb.h"

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace facteur::qmgr {

struct Message;
struct Destination;
struct Transport;

// Recipients of one message for one destination: what one delivery request carries.
struct Entry {
    std::shared_ptr<Message> message;
    std::vector<std::uint32_t> recipients; // indexes into the envelope
    std::vector<std::string> resolved;     // their addresses as resolved
};

// The window of parallel deliveries to one destination.
class ConcurrencyWindow {
public:
    explicit ConcurrencyWindow(const TransportSettings& settings);
    void succeeded();
    // True when the destination is to be taken for dead.
    bool failed();
    void reset();
    [[nodiscard]] long size() const { return window_; }

private:
    [[nodiscard]] double feedback(double constant, bool per_window, bool per_root) const;
    const TransportSettings& settings_;
    long window_;
    double success_ = 0; // 0..1: fraction of the next step up
    double failure_ = 0; // of the next step down
    double failed_cohorts_ = 0;
};

struct Destination {
    Destination(Transport& owner, std::string name);
    Transport& transport;
    std::string name;    // nexthop, or user@nexthop where every recipient is a destination
    std::string nexthop; // what the agent is given
    ConcurrencyWindow window;
    std::deque<Entry> waiting;
    long in_flight = 0;
    long holders = 0;    // coroutines that use this object
    bool listed = false; // in the transport's round robin
    bool dead = false;
    ipc::Dsn dead_reason;
    std::unique_ptr<event::Loop::Timer> revival;
};

struct Transport {
    Transport(event::Loop& loop, std::string name, TransportSettings settings, int streams);
    std::string name;
    TransportSettings settings;
    std::vector<std::unique_ptr<ipc::Client>> clients;
    std::vector<long> client_load;
    std::map<std::string, std::unique_ptr<Destination>> destinations;
    std::deque<Destination*> round_robin; // those with something to send and room in their window
    long in_flight = 0;
    bool dead = false; // no agent answers
    ipc::Dsn dead_reason;
    std::unique_ptr<event::Loop::Timer> revival;

    Destination& destination(const std::string& destination_name);
    std::size_t least_loaded() const;
};

} // namespace facteur::qmgr
