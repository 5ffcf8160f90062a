// Who comes how often: per service and client address, open connections now and events within the current time unit.
// Source: anvil(8), TUNING_README.
#pragma once

#include "ipc/messages.pb.h"

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace facteur::anvil {

using Clock = std::chrono::steady_clock;
using Operation = ipc::AnvilRequest::Operation;

// The greatest rate or count of one kind since the last report.
struct Peak {
    std::uint32_t value = 0;
    std::string client; // "smtp:192.0.2.1"
    std::chrono::system_clock::time_point when;
};

class Counters {
public:
    explicit Counters(std::chrono::seconds time_unit) : time_unit_(time_unit) {}

    // Counts the event and tells where its client stands.
    ipc::AnvilReply count(Operation operation, std::string_view service, std::string_view address,
                          Clock::time_point now, std::chrono::system_clock::time_point wall_time);
    // The log lines of the peaks since the last call, and forgets them; empty when nothing happened.
    std::vector<std::string> report();
    // Forgets clients that have no connection and whose time unit is over.
    void forget_idle(Clock::time_point now);
    [[nodiscard]] std::size_t size() const { return clients_.size(); }

private:
    static constexpr std::size_t kRates = 5; // connection, message, recipient, newtls, auth
    struct Record {
        std::uint32_t connections = 0;
        std::array<std::uint32_t, kRates> events{};
        Clock::time_point began; // of the time unit the events belong to
    };
    void raise(Peak& peak, std::uint32_t value, const std::string& client, std::chrono::system_clock::time_point when);

    std::chrono::seconds time_unit_;
    std::unordered_map<std::string, Record> clients_;
    std::array<Peak, kRates> rate_peaks_;
    Peak count_peak_;
    Peak size_peak_;
};

} // namespace facteur::anvil
