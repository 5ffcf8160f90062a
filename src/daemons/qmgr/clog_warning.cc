#include "daemons/qmgr/clog_warning.h"

#include <fmt/format.h>

namespace facteur::qmgr {

namespace {
constexpr std::size_t kFullFrom = 20; // percent of the limit: below, there is room for others anyway
constexpr std::size_t kMostOfIt = 80; // percent of the active queue
} // namespace

std::vector<std::string> clog_warning(const Destination& destination, std::size_t active, std::size_t limit)
{
    const std::size_t used = destination.waiting + static_cast<std::size_t>(destination.in_flight);
    if (active * 100 < limit * kFullFrom || used * 100 < active * kMostOfIt)
        return {};
    const TransportSettings& settings = destination.transport.settings;
    const std::string& transport = destination.transport.name;
    std::vector<std::string> lines{
        fmt::format("mail for {} is using up {} of {} active queue entries", destination.nexthop, used, active),
        "this may slow down other mail deliveries",
    };
    if (settings.concurrency_limit > 0 && destination.window.size() >= settings.concurrency_limit) {
        lines.push_back(fmt::format("you may need to increase the main.cf {}_destination_concurrency_limit from {}",
                                    transport, settings.concurrency_limit));
        lines.push_back(fmt::format("you may need a separate master.cf transport for {}", destination.nexthop));
    } else {
        lines.push_back(fmt::format("you may need to reduce {} connect and helo timeouts", transport));
        lines.emplace_back("so that unavailable hosts are skipped quickly");
        lines.emplace_back("you may need to increase the main.cf minimal_backoff_time and maximal_backoff_time");
        lines.emplace_back("so that less time is wasted on undeliverable mail");
        lines.push_back(fmt::format("you may need to increase the master.cf {} process limit", transport));
    }
    lines.emplace_back("please avoid flushing the whole queue when you have");
    lines.emplace_back("lots of deferred mail, that is bad for performance");
    lines.emplace_back("to turn off these warnings specify: qmgr_clog_warn_time = 0");
    return lines;
}

} // namespace facteur::qmgr
