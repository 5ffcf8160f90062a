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
    int workers = 1; // streams to a transport, so that several workers of it can share the load
};
Settings read_settings(const config::Config& config);

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
    milliseconds rate_delay{0};
};
TransportSettings read_transport(const config::Config& config, const Settings& settings, std::string_view name);

} // namespace facteur::qmgr
