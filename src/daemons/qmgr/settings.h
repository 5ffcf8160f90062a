// The queue manager's parameters, read once at start; those of single transports when the transport is first used.
#pragma once

#include "config/config.h"

#include <chrono>
#include <map>
#include <set>
#include <string>
#include <string_view>

namespace facteur::qmgr {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct Settings {
    std::size_t active_limit = 20000;
    seconds minimal_backoff{300};
    seconds maximal_backoff{4000};
    seconds queue_lifetime{432000};
    seconds bounce_lifetime{432000};
    seconds queue_run_delay{300};
    seconds clog_warning{300}; // between warnings of one destination; 0: none
    bool log_feedback = false;
    milliseconds transport_retry{60000};
    std::set<std::string> defer_transports;
    std::string hash_queue_names;
    int hash_queue_depth = 1;
    std::string bounce_socket; // "private/bounce"
    std::string defer_socket;
    std::string trace_socket;
    std::string rewrite_socket;
    std::string retry_transport; // "retry"
    std::string error_transport;
    std::map<std::string, long, std::less<>> process_limits; // deliveries at once, of each service in master.cf
    long default_process_limit = 100;
    std::size_t recipients_at_once = 20000; // of one message: resolved and waiting
    std::size_t refill = 100;               // so many left, the next ones are resolved
    bool confirm_delay_cleared = false;
    bool verp_bounces = true;
    std::string filter_nexthop; // default_filter_nexthop
    long retry_spread = 0;      // percent
    int workers = 1;            // streams to a transport, so that several workers of it can share the load
};
Settings read_settings(const config::Config& config);

// How short messages overtake long ones. Source: SCHEDULER_README, default_delivery_slot_cost and its kin.
struct SlotRules {
    long cost = 5;      // entries a job sends to earn a slot; below 2: nobody overtakes
    long loan = 3;      // slots given in advance
    long discount = 50; // percent of the slots needed that are excused
    long minimum = 3;   // slots a job must be able to earn before it can be overtaken
};

// What main.cf says of one transport: NAME_destination_concurrency_limit and its kin.
struct TransportSettings {
    long process_limit = 100;
    long concurrency_limit = 20;
    long initial_concurrency = 5;
    long recipient_limit = 50;
    long failed_cohort_limit = 1;
    double positive_feedback = 1; // per success: the constant, divided by the window when per_window
    bool positive_per_window = false;
    bool positive_per_root = false;
    double negative_feedback = 1;
    bool negative_per_window = true;
    bool negative_per_root = false;
    milliseconds rate_delay{0};           // between deliveries to one destination
    milliseconds transport_rate_delay{0}; // between any two deliveries
    milliseconds failure_window{0};       // how long nothing but failures makes a destination dead
    SlotRules slots;
};
TransportSettings read_transport(const config::Config& config, const Settings& settings, std::string_view name);

} // namespace facteur::qmgr
