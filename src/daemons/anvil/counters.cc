#include "daemons/anvil/counters.h"

#include <fmt/format.h>

#include <ctime>
#include <optional>

namespace facteur::anvil {

namespace {

constexpr std::array<std::string_view, 5> kRateNames{"connection", "message", "recipient", "newtls", "auth"};

std::optional<std::size_t> rate_of(Operation operation)
{
    switch (operation) {
    case ipc::AnvilRequest::CONNECT:
        return 0;
    case ipc::AnvilRequest::MESSAGE:
        return 1;
    case ipc::AnvilRequest::RECIPIENT:
        return 2;
    case ipc::AnvilRequest::NEWTLS:
        return 3;
    case ipc::AnvilRequest::AUTH:
        return 4;
    default:
        return std::nullopt;
    }
}

// "Nov 22 05:31:00"
std::string log_time(std::chrono::system_clock::time_point when)
{
    const std::time_t seconds = std::chrono::system_clock::to_time_t(when);
    std::tm local{};
    ::localtime_r(&seconds, &local);
    char text[32];
    std::strftime(text, sizeof text, "%b %e %H:%M:%S", &local);
    return text;
}

} // namespace

void Counters::raise(Peak& peak, std::uint32_t value, const std::string& client,
                     std::chrono::system_clock::time_point when)
{
    if (value > peak.value)
        peak = {value, client, when};
}

ipc::AnvilReply Counters::count(Operation operation, std::string_view service, std::string_view address,
                                Clock::time_point now, std::chrono::system_clock::time_point wall_time)
{
    const std::string client = fmt::format("{}:{}", service, address);
    const auto found = clients_.find(client);
    ipc::AnvilReply reply;
    const bool creates = operation != ipc::AnvilRequest::DISCONNECT && operation != ipc::AnvilRequest::LOOKUP;
    if (found == clients_.end() && !creates)
        return reply;
    Record& record =
        found != clients_.end() ? found->second : clients_.try_emplace(client, Record{.began = now}).first->second;
    if (now - record.began > time_unit_) {
        record.events = {};
        record.began = now;
    }
    if (operation == ipc::AnvilRequest::CONNECT) {
        ++record.connections;
        raise(count_peak_, record.connections, client, wall_time);
    } else if (operation == ipc::AnvilRequest::DISCONNECT && record.connections > 0) {
        --record.connections;
    }
    if (const auto rate = rate_of(operation)) {
        reply.set_rate(++record.events[*rate]);
        raise(rate_peaks_[*rate], record.events[*rate], client, wall_time);
    }
    raise(size_peak_, static_cast<std::uint32_t>(clients_.size()), client, wall_time);
    reply.set_connections(record.connections);
    if (operation == ipc::AnvilRequest::LOOKUP)
        reply.set_rate(record.events[0]);
    reply.set_message_rate(record.events[1]);
    reply.set_recipient_rate(record.events[2]);
    reply.set_newtls_rate(record.events[3]);
    reply.set_auth_rate(record.events[4]);
    return reply;
}

std::vector<std::string> Counters::report()
{
    std::vector<std::string> lines;
    for (std::size_t i = 0; i < kRates; ++i)
        if (rate_peaks_[i].value > 0)
            lines.push_back(fmt::format("statistics: max {} rate {}/{}s for ({}) at {}", kRateNames[i],
                                        rate_peaks_[i].value, time_unit_.count(), rate_peaks_[i].client,
                                        log_time(rate_peaks_[i].when)));
    if (count_peak_.value > 0)
        lines.push_back(fmt::format("statistics: max connection count {} for ({}) at {}", count_peak_.value,
                                    count_peak_.client, log_time(count_peak_.when)));
    if (size_peak_.value > 0)
        lines.push_back(
            fmt::format("statistics: max cache size {} at {}", size_peak_.value, log_time(size_peak_.when)));
    rate_peaks_ = {};
    count_peak_ = {};
    size_peak_ = {};
    return lines;
}

void Counters::forget_idle(Clock::time_point now)
{
    std::erase_if(clients_, [&](const auto& entry) {
        return entry.second.connections == 0 && now - entry.second.began > time_unit_;
    });
}

} // namespace facteur::anvil
