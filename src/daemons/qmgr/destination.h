// Transports and their destinations, with the concurrency window of each destination. Source: SCHEDULER_README.
//
//            success: window grows                      failure: window shrinks, cohorts of failures are counted
//     +--------------------------+                    +------------------------------------------------------+
//     |                          |                    |                                                      |
//     +--> ALIVE (window >= 1) --+--------------------+--> window < 1, or too many failed cohorts --> DEAD --+
//               ^                                                                                     |
//               +------------ minimal_backoff_time is over, or an administrator flushes --------------+
//
// Mail for a dead destination is deferred at once, without an attempt. With default_destination_failure_window set, a
// destination dies only when nothing but failures came back for that long: a server that is busy or restarts for a
// moment keeps its mail moving.
#pragma once

#include "daemons/qmgr/message.h"
#include "daemons/qmgr/settings.h"
#include "event/loop.h"
#include "ipc/client.h"
#include "ipc/messages.pb.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace facteur::qmgr {

class JobQueue;
struct Destination;
struct Transport;

// Recipients of one message for one destination: what one delivery request carries.
struct Entry {
    std::shared_ptr<Message> message;
    std::vector<std::uint32_t> recipients; // indexes into the envelope
    std::vector<std::string> resolved;     // their addresses as resolved
};

// A line of entries for one destination, as job_queue.h keeps it.
struct Peer;
using LaneKey = std::pair<Priority, double>; // the order of the job
struct Lane {
    std::map<LaneKey, Peer*> peers; // one for each job, in the jobs' order
    std::size_t waiting = 0;        // entries
    std::uint64_t served = 0;       // when it was served last, in deliveries of the transport
    bool open = false;              // a delivery may begin
    bool ready = false;             // open, and something waits
};

// The window of parallel deliveries to one destination.
class ConcurrencyWindow {
public:
    explicit ConcurrencyWindow(const TransportSettings& settings);
    void succeeded();
    // True when the destination is to be taken for dead. `now` in milliseconds, any epoch.
    bool failed(std::int64_t now);
    void reset();
    [[nodiscard]] long size() const { return window_; }
    // For the log: "limit 20 window 5 success 0.2 failure 0 fail_cohorts 0".
    [[nodiscard]] std::string describe() const;

private:
    [[nodiscard]] double feedback(double constant, bool per_window, bool per_root) const;
    const TransportSettings& settings_;
    long window_;
    double success_ = 0; // 0..1: fraction of the next step up
    double failure_ = 0; // of the next step down
    double failed_cohorts_ = 0;
    std::int64_t failing_since_ = -1; // the first failure after the last success
};

struct Destination : Lane {
    Destination(Transport& owner, std::string name);
    void delivery_begins(event::Clock::time_point now);
    void delivery_ended(event::Clock::time_point now);
    Transport& transport;
    std::string name;    // nexthop, or user@nexthop where every recipient is a destination
    std::string nexthop; // what the agent is given
    ConcurrencyWindow window;
    long in_flight = 0;
    long holders = 0;                                   // coroutines that use this object
    std::int64_t clog_warned_seconds = 0;               // since the epoch
    std::optional<event::Clock::time_point> last_ended; // a delivery
    // Deliveries leave their connection to the next: from when one begins within a second of another's end, for as long
    // as they follow each other like this or overlap.
    bool keeps_connections = false;
    bool dead = false;
    std::int64_t dead_until_seconds = 0; // since the epoch; while dead
    ipc::Dsn dead_reason;
    std::unique_ptr<event::Loop::Timer> revival;
};

struct Transport {
    Transport(event::Loop& loop, std::string name, TransportSettings settings, int streams);
    ~Transport();
    std::string name;
    TransportSettings settings;
    std::vector<std::unique_ptr<ipc::Client>> clients;
    std::vector<long> client_load;
    std::map<std::string, std::unique_ptr<Destination>> destinations;
    std::unique_ptr<JobQueue> jobs;
    long in_flight = 0;
    bool pausing = false; // default_transport_rate_delay
    std::unique_ptr<event::Loop::Timer> pause;
    bool dead = false; // no agent answers
    ipc::Dsn dead_reason;
    std::unique_ptr<event::Loop::Timer> revival;

    Destination& destination(const std::string& destination_name);
    std::size_t least_loaded() const;
};

} // namespace facteur::qmgr
