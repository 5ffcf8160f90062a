// Where a daemon runs on a machine with two processors: the programs that receive mail on one, those that deliver it on
// the other, for as long as its processor has time to spare. A message that comes in then never waits for the delivery
// of the one before, and one process wakes the next without the price of rousing a sleeping processor. When time is
// short the kernel's scheduler decides alone. Measured in docs/adr/0012-two-processors-two-sides.md
#pragma once

#include "base/fd.h"
#include "event/loop.h"

#include <dirent.h>
#include <sched.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

namespace facteur::service {

enum class Side { any, receiving, delivering };

// What a processor did since the machine started, in ticks of 10 ms.
struct ProcessorTime {
    std::uint64_t idle = 0;
    std::uint64_t all = 0;
};
// From the text of /proc/stat (proc_stat(5)). Nothing when that does not tell of the processor.
std::optional<ProcessorTime> parse_processor_time(std::string_view stat, int processor);

// Whether a daemon should be in its place, given the shares (0 to 1) of the time that its processor and the other one
// were idle.
bool belongs_in_place(bool in_place, double idle, double idle_elsewhere);

class Place {
public:
    // Before threads are made and before the process is confined. Not two processors, Side::any, or no /proc: the
    // process stays where the kernel wants it.
    explicit Place(Side side);
    // Called from time to time while there is work; looks at the processors twice a second at most.
    void look(event::Clock::time_point now);

private:
    struct CloseDirectory {
        void operator()(DIR* directory) const { ::closedir(directory); }
    };
    struct Times {
        ProcessorTime own;
        ProcessorTime other;
    };
    void go(bool into_place);
    std::optional<Times> times() const;

    int processor_ = -1; // where our place is; negative: nowhere
    int other_ = -1;
    bool in_place_ = false;
    cpu_set_t everywhere_{};
    UniqueFd stat_;                                // /proc/stat
    std::unique_ptr<DIR, CloseDirectory> threads_; // /proc/self/task: reached after chroot(2), too
    Times seen_;
    event::Clock::time_point next_look_;
};

} // namespace facteur::service
