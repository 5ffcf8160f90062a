// One service at work: its listening sockets, its workers, and the rule when another worker is needed.
//
// A worker accepts for itself; master looks at a socket only while no worker can be expected to take the next client:
//
//   workers there are          | master watches for | and then
//   ---------------------------|--------------------|---------------------------------------------
//   none                       | a client           | starts one
//   one that is idle           | nothing            |
//   all busy, fewer than wanted| a client           | looks again after 50 ms: still waiting, start one
//   all full, fewer than wanted| a client           | starts one
//   all full, all that may be  | nothing            | warns that the process limit is reached
//   throttled, or ending       | nothing            |
#pragma once

#include "base/fd.h"
#include "daemons/master/launch.h"
#include "daemons/master/plan.h"
#include "event/loop.h"
#include "service/service.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace facteur::master {

// What services share. Outlives them.
struct Ground {
    event::Loop& loop;
    WorkerGround workers; // the generation changes with each reload
    int verbosity = 0;
    bool debugger = false;
};

struct OpenSocket {
    std::string name; // of its Endpoint
    UniqueFd fd;
};

class Service {
public:
    Service(Ground& ground, ServicePlan plan, std::vector<OpenSocket> sockets);
    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;

    // Starts what must run, then waits for clients.
    void start();
    // A new plan for the same service: workers of the old generation finish their clients, new ones take over.
    void renew(ServicePlan plan, std::vector<OpenSocket> sockets);
    // The service is no longer in master.cf, or master ends: no new workers.
    void close();
    // The sockets that a renewed or closed service had, for whom they stay useful.
    [[nodiscard]] std::vector<OpenSocket> take_sockets();

    // The wake-up of master.cf's column: the trigger that makes a program look for work. Repeats itself.
    void wake_up();

    void worker_reported(const service::StatusReport& report);
    // True when the process was one of ours.
    bool worker_ended(pid_t pid, int wait_status);
    void signal_workers(int signal) const;

    [[nodiscard]] const ServicePlan& plan() const { return plan_; }
    [[nodiscard]] bool listens_on(std::string_view name) const;
    [[nodiscard]] bool has_workers() const { return !workers_.empty(); }

private:
    struct Worker {
        std::uint32_t generation = 0;
        int connections = 0;
        bool full = false;
        bool has_served = false;
        event::Clock::time_point started;
    };
    enum class Demand { none, at_once, if_still_waiting };

    [[nodiscard]] Demand demand() const;
    void watch_as_needed();
    void stop_watching();
    event::Task<void> watch_socket(event::Watch& watch);
    bool client_waits(); // false: the sockets are no longer watched
    void look_again();
    [[nodiscard]] bool somebody_waits() const;
    void start_worker();
    void throttle();
    void note_limit();
    void log_death(pid_t pid, int wait_status) const;
    [[nodiscard]] bool died_at_birth(const Worker& worker, int wait_status) const;

    Ground& ground_;
    ServicePlan plan_;
    std::vector<OpenSocket> sockets_;
    std::map<pid_t, Worker> workers_;
    std::vector<std::unique_ptr<event::Watch>> watches_;
    std::unique_ptr<event::Loop::Timer> second_look_;
    std::unique_ptr<event::Loop::Timer> throttled_;
    std::unique_ptr<event::Loop::Timer> wakeup_;
    std::optional<event::Clock::time_point> warned_at_;
    std::optional<event::Clock::time_point> limit_reached_at_;
    bool was_used_ = false;
    bool closed_ = false;
};

} // namespace facteur::master
