// Whether the machine is short of processors, as the calling process feels it: how long it could have run and had to
// wait for its turn.
#pragma once

#include "base/fd.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace facteur {

// The nanoseconds spent waiting, from the text of /proc/PID/schedstat: "RUN WAIT SLICES". Source: the kernel's
// Documentation/scheduler/sched-stats.rst.
[[nodiscard]] std::optional<std::uint64_t> parse_run_delay(std::string_view schedstat);

// Of the process's first thread. Begins before the process changes its root directory; where the kernel does not say,
// nothing is ever short.
class RunDelay {
public:
    using Clock = std::chrono::steady_clock;

    RunDelay();
    // True when a fifth of the time since the last look, or more, went by in waiting. Looks once in 50 ms at most.
    [[nodiscard]] bool short_of_processors(Clock::time_point now);

private:
    [[nodiscard]] std::optional<std::uint64_t> waited() const;

    UniqueFd file_;
    Clock::time_point looked_;
    std::uint64_t waited_ = 0;
    bool short_ = false;
};

} // namespace facteur
