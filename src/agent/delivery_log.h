// The line that tells what became of one recipient. Log analysers read it, so it is made here and nowhere else.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace facteur::agent {

// Where the time went, in the order in which it happened. Source: postconf(5), delay_logging_resolution_limit.
struct Delays {
    std::chrono::microseconds before_queue_manager{0}; // a
    std::chrono::microseconds in_queue_manager{0};     // b
    std::chrono::microseconds connection_setup{0};     // c
    std::chrono::microseconds transmission{0};         // d
    [[nodiscard]] std::chrono::microseconds total() const
    {
        return before_queue_manager + in_queue_manager + connection_setup + transmission;
    }
};

// Seconds with two significant digits and at most `max_decimals` decimals, no trailing zeros: "0.05", "1.2", "12",
// "340".
std::string format_delay(std::chrono::microseconds delay, int max_decimals);

struct OutcomeLine {
    std::string_view queue_id;
    std::string_view recipient; // as it is logged: external form
    std::string_view original;  // shown when it differs
    std::string_view relay;
    int connection_use = 1; // shown from the second use on
    Delays delays;
    std::string_view dsn;
    std::string_view status; // "sent", "bounced", "deferred", ...
    std::string_view reason;
};

std::string format_outcome(const OutcomeLine& line, int delay_decimals);

} // namespace facteur::agent
