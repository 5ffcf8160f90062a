#include "daemons/master/service.h"

#include "base/error.h"
#include "base/log.h"
#include "ipc/client.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

namespace facteur::master {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kPatience{50};     // how long a client may wait for a busy worker
constexpr seconds kBirth{1};              // a worker that dies younger than this could not start
constexpr seconds kWarningInterval{1000}; // between warnings of a reached limit; stress ends that long after it

event::Task<void> send_trigger(event::Loop& loop, std::string path)
{
    const bool sent = co_await ipc::trigger(loop, path, "W");
    if (!sent)
        log::warning("trigger {}: {}", path, errno_text(errno));
}

} // namespace

Service::Service(Ground& ground, ServicePlan plan, std::vector<OpenSocket> sockets)
    : ground_(ground), plan_(std::move(plan)), sockets_(std::move(sockets))
{
}

void Service::start()
{
    if (plan_.must_run && demand() == Demand::at_once)
        start_worker();
    watch_as_needed();
    if (plan_.entry.wakeup_seconds > 0)
        wake_up();
}

void Service::renew(ServicePlan plan, std::vector<OpenSocket> sockets)
{
    stop_watching();
    wakeup_.reset();
    throttled_.reset();
    signal_workers(SIGHUP);
    plan_ = std::move(plan);
    sockets_ = std::move(sockets);
    start();
}

void Service::close()
{
    closed_ = true;
    stop_watching();
    wakeup_.reset();
    throttled_.reset();
}

std::vector<OpenSocket> Service::take_sockets()
{
    stop_watching();
    return std::move(sockets_);
}

bool Service::listens_on(std::string_view name) const
{
    return std::ranges::any_of(sockets_, [name](const OpenSocket& socket) { return socket.name == name; });
}

void Service::wake_up()
{
    const bool wanted = !plan_.entry.wakeup_if_used || was_used_;
    if (wanted && plan_.entry.type != config::SocketType::inet && plan_.entry.type != config::SocketType::unix_dgram)
        event::spawn(send_trigger(ground_.loop, local_socket_path(plan_.entry)));
    wakeup_ = ground_.loop.call_at(event::Clock::now() + seconds(plan_.entry.wakeup_seconds), [this] { wake_up(); });
}

Service::Demand Service::demand() const
{
    if (closed_ || throttled_)
        return Demand::none;
    // A program that must be alone waits until its predecessor has finished.
    if (plan_.process_limit == 1 && !workers_.empty())
        return Demand::none;
    int present = 0;
    int full = 0;
    for (const auto& [pid, worker] : workers_) {
        if (worker.generation != ground_.workers.generation)
            continue;
        if (worker.connections == 0)
            return Demand::none;
        ++present;
        full += worker.full ? 1 : 0;
    }
    if (present >= plan_.workers)
        return Demand::none;
    return full == present ? Demand::at_once : Demand::if_still_waiting;
}

void Service::watch_as_needed()
{
    const bool wanted = demand() != Demand::none;
    if (!wanted)
        stop_watching();
    if (!wanted || !watches_.empty())
        return;
    for (const OpenSocket& socket : sockets_)
        watches_.push_back(std::make_unique<event::Watch>(ground_.loop, socket.fd.get()));
    // A client that is there already may start a worker and end the watching while we are at it.
    for (std::size_t i = 0; i < watches_.size(); ++i)
        event::spawn(watch_socket(*watches_[i]));
}

void Service::stop_watching()
{
    second_look_.reset();
    const auto ending = std::exchange(watches_, {});
    for (const auto& watch : ending)
        watch->cancel();
}

event::Task<void> Service::watch_socket(event::Watch& watch)
{
    for (;;) {
        const event::Ready how = co_await watch.readable();
        if (how != event::Ready::ready)
            co_return;
        // Watching may end in here, and this watch with it.
        if (!client_waits())
            co_return;
        watch.drained();
    }
}

bool Service::client_waits()
{
    const Demand wanted = demand();
    if (wanted == Demand::if_still_waiting) {
        if (!second_look_)
            second_look_ = ground_.loop.call_at(event::Clock::now() + kPatience, [this] { look_again(); });
        return true;
    }
    if (wanted == Demand::at_once)
        start_worker();
    stop_watching();
    watch_as_needed();
    return false;
}

void Service::look_again()
{
    second_look_.reset();
    if (demand() != Demand::none && somebody_waits())
        start_worker();
    watch_as_needed();
}

bool Service::somebody_waits() const
{
    return std::ranges::any_of(sockets_, [](const OpenSocket& socket) {
        pollfd wait{socket.fd.get(), POLLIN, 0};
        return ::poll(&wait, 1, 0) > 0;
    });
}

void Service::start_worker()
{
    std::vector<int> sockets;
    for (const OpenSocket& socket : sockets_)
        sockets.push_back(socket.fd.get());
    const auto now = event::Clock::now();
    // The worker that reaches the limit works under stress, and so does any that starts soon after.
    const bool last =
        plan_.workers > 1 && std::ranges::count_if(workers_, [this](const auto& each) {
                                 return each.second.generation == ground_.workers.generation && each.second.full;
                             }) == plan_.workers - 1;
    const bool stress =
        plan_.adapts_to_stress && (last || (limit_reached_at_ && now - *limit_reached_at_ < kWarningInterval));
    const auto pid = launch(plan_, sockets, ground_.workers, {stress, ground_.verbosity, ground_.debugger});
    if (!pid) {
        log::warning("{}", pid.error());
        throttle();
        return;
    }
    was_used_ = true;
    workers_.emplace(*pid, Worker{ground_.workers.generation, 0, false, false, now});
}

void Service::worker_reported(const service::StatusReport& report)
{
    const auto found = workers_.find(report.pid);
    if (found == workers_.end() || found->second.generation != report.generation)
        return;
    found->second.connections = report.connections;
    found->second.full = report.full != 0;
    found->second.has_served = true;
    note_limit();
    watch_as_needed();
}

// All workers there may be are full: clients wait from now on.
void Service::note_limit()
{
    const auto full = std::ranges::count_if(workers_, [this](const auto& each) {
        return each.second.full && each.second.generation == ground_.workers.generation;
    });
    if (full < plan_.workers)
        return;
    const auto now = event::Clock::now();
    limit_reached_at_ = now;
    if (plan_.entry.wakeup_seconds > 0 || plan_.process_limit <= 1 ||
        (warned_at_ && now - *warned_at_ <= kWarningInterval))
        return;
    warned_at_ = now;
    log::warning(
        "service \"{}\" ({}) has reached its process limit \"{}\": new clients may experience noticeable delays",
        plan_.entry.name, plan_.listen_name, plan_.process_limit);
    log::warning(
        "to avoid this condition, increase the process count in master.cf or reduce the service time per client");
    if (plan_.adapts_to_stress)
        log::warning(
            "see https://www.postfix.org/STRESS_README.html for examples of stress-adapting configuration settings");
}

void Service::log_death(pid_t pid, int wait_status) const
{
    if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) != 0)
        log::warning("process {} pid {} exit status {}", plan_.program_path, pid, WEXITSTATUS(wait_status));
    else if (WIFSIGNALED(wait_status))
        log::warning("process {} pid {} killed by signal {}", plan_.program_path, pid, WTERMSIG(wait_status));
}

bool Service::died_at_birth(const Worker& worker, int wait_status) const
{
    if (worker.has_served)
        return false;
    if (WIFEXITED(wait_status))
        return WEXITSTATUS(wait_status) != 0;
    return event::Clock::now() - worker.started < kBirth;
}

bool Service::worker_ended(pid_t pid, int wait_status)
{
    const auto found = workers_.find(pid);
    if (found == workers_.end())
        return false;
    const Worker worker = found->second;
    workers_.erase(found);
    const bool asked_to_end = closed_ && WIFSIGNALED(wait_status);
    if (!asked_to_end)
        log_death(pid, wait_status);
    if (closed_)
        return true;
    const bool current = worker.generation == ground_.workers.generation;
    if (current && !throttled_ && died_at_birth(worker, wait_status)) {
        log::warning("{}: bad command startup -- throttling", plan_.program_path);
        throttle();
    }
    // One that went to sleep by itself is woken by the next client; one that was replaced or died is missed at once.
    const bool fell_asleep = current && WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0;
    if (plan_.must_run && !fell_asleep && demand() == Demand::at_once)
        start_worker();
    watch_as_needed();
    return true;
}

void Service::throttle()
{
    stop_watching();
    throttled_ = ground_.loop.call_at(event::Clock::now() + plan_.throttle_time, [this] {
        throttled_.reset();
        if (plan_.must_run && demand() == Demand::at_once)
            start_worker();
        watch_as_needed();
    });
}

void Service::signal_workers(int signal) const
{
    for (const auto& [pid, worker] : workers_)
        ::kill(pid, signal);
}

} // namespace facteur::master
