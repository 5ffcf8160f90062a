#include "daemons/qmgr/destination.h"

#include "daemons/qmgr/job_queue.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace facteur::qmgr {

ConcurrencyWindow::ConcurrencyWindow(const TransportSettings& settings) : settings_(settings)
{
    reset();
}

void ConcurrencyWindow::reset()
{
    window_ = settings_.initial_concurrency;
    if (settings_.concurrency_limit > 0)
        window_ = std::min(window_, settings_.concurrency_limit);
    window_ = std::max(1L, window_);
    success_ = failure_ = failed_cohorts_ = 0;
    failing_since_ = -1;
}

double ConcurrencyWindow::feedback(double constant, bool per_window, bool per_root) const
{
    const auto window = static_cast<double>(window_);
    return per_window ? constant / window : per_root ? constant / std::sqrt(window) : constant;
}

void ConcurrencyWindow::succeeded()
{
    failed_cohorts_ = 0;
    failing_since_ = -1;
    if (settings_.concurrency_limit > 0 && window_ >= settings_.concurrency_limit)
        return;
    // Hysteresis: a step up happens when a whole unit was gathered, and takes back what counted for a step down.
    success_ += feedback(settings_.positive_feedback, settings_.positive_per_window, settings_.positive_per_root);
    while (success_ >= 1) {
        ++window_;
        success_ -= 1;
        failure_ = 0;
    }
    if (settings_.concurrency_limit > 0)
        window_ = std::min(window_, settings_.concurrency_limit);
}

bool ConcurrencyWindow::failed(std::int64_t now)
{
    if (failing_since_ < 0)
        failing_since_ = now;
    const bool long_enough = now - failing_since_ >= settings_.failure_window.count();
    failed_cohorts_ += 1.0 / static_cast<double>(window_);
    if (settings_.failed_cohort_limit > 0 && long_enough &&
        failed_cohorts_ >= static_cast<double>(settings_.failed_cohort_limit))
        return true;
    failure_ -= feedback(settings_.negative_feedback, settings_.negative_per_window, settings_.negative_per_root);
    while (failure_ < 0) {
        --window_;
        failure_ += 1;
        success_ = 0;
    }
    if (window_ >= 1)
        return false;
    window_ = 1;
    return settings_.failed_cohort_limit > 0 && long_enough;
}

std::string ConcurrencyWindow::describe() const
{
    return fmt::format("limit {} window {} success {:g} failure {:g} fail_cohorts {:g}", settings_.concurrency_limit,
                       window_, success_, failure_, failed_cohorts_);
}

Destination::Destination(Transport& owner, std::string destination_name)
    : transport(owner), name(std::move(destination_name)), window(owner.settings)
{
}

void Destination::delivery_begins(event::Clock::time_point now)
{
    ++in_flight;
    const bool back_to_back = last_ended && now - *last_ended <= std::chrono::seconds(1);
    keeps_connections = back_to_back || (keeps_connections && in_flight > 1);
}

void Destination::delivery_ended(event::Clock::time_point now)
{
    --in_flight;
    last_ended = now;
}

Transport::Transport(event::Loop& loop, std::string transport_name, TransportSettings transport_settings, int streams)
    : name(std::move(transport_name)), settings(std::move(transport_settings)),
      jobs(std::make_unique<JobQueue>(settings.slots))
{
    for (int i = 0; i < streams; ++i)
        clients.push_back(std::make_unique<ipc::Client>(loop, "private/" + name));
    client_load.resize(clients.size());
}

Transport::~Transport() = default;

Destination& Transport::destination(const std::string& destination_name)
{
    auto& slot = destinations[destination_name];
    if (!slot)
        slot = std::make_unique<Destination>(*this, destination_name);
    return *slot;
}

std::size_t Transport::least_loaded() const
{
    return static_cast<std::size_t>(std::ranges::min_element(client_load) - client_load.begin());
}

} // namespace facteur::qmgr
