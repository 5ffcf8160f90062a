#include "service/place.h"

#include "base/text.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

namespace facteur::service {

namespace {

constexpr std::chrono::milliseconds kBetweenLooks{500};
constexpr std::chrono::seconds kAway{5}; // at least, once the place was left
// Shares of idle time. While one client sends without a pause a processor is idle for 0.2 to 0.4 of it, with ten for
// less than 0.1.
constexpr double kEnoughToStay = 0.12;
constexpr double kEnoughToReturn = 0.30;
constexpr double kOfTheOther = 0.5; // less than that, and the work is too unevenly shared

// The processors that the administrator leaves to us, in order.
std::vector<int> processors_in(const cpu_set_t& set)
{
    std::vector<int> found;
    for (int i = 0; i < CPU_SETSIZE; ++i)
        if (CPU_ISSET(i, &set))
            found.push_back(i);
    return found;
}

// Nothing when the times say nothing: a look too early, or the kernel's count of idle time stepped back.
std::optional<double> idle_share(const ProcessorTime& before, const ProcessorTime& now)
{
    if (now.idle < before.idle || now.all <= before.all)
        return std::nullopt;
    return static_cast<double>(now.idle - before.idle) / static_cast<double>(now.all - before.all);
}

} // namespace

std::optional<ProcessorTime> parse_processor_time(std::string_view stat, int processor)
{
    const std::string name = "cpu" + std::to_string(processor);
    while (!stat.empty()) {
        const std::string_view line = stat.substr(0, stat.find('\n'));
        stat.remove_prefix(std::min(stat.size(), line.size() + 1));
        const auto words = text::split_list(line);
        if (words.empty() || words[0] != name)
            continue;
        // user nice system idle iowait irq softirq steal; what follows is contained in user and nice
        constexpr std::size_t kWords = 8;
        constexpr std::size_t kIdle = 3;
        constexpr std::size_t kWaiting = 4; // for a disk: free to run something else
        if (words.size() <= kWords)
            return std::nullopt;
        ProcessorTime time;
        for (std::size_t i = 0; i < kWords; ++i) {
            const auto ticks = text::to_long(words[i + 1]);
            if (!ticks || *ticks < 0)
                return std::nullopt;
            time.all += static_cast<std::uint64_t>(*ticks);
            if (i == kIdle || i == kWaiting)
                time.idle += static_cast<std::uint64_t>(*ticks);
        }
        return time;
    }
    return std::nullopt;
}

bool belongs_in_place(bool in_place, double idle, double idle_elsewhere)
{
    return idle >= (in_place ? kEnoughToStay : kEnoughToReturn) && idle >= kOfTheOther * idle_elsewhere;
}

Place::Place(Side side)
{
    if (side == Side::any || ::sched_getaffinity(0, sizeof everywhere_, &everywhere_) != 0)
        return;
    const auto processors = processors_in(everywhere_);
    if (processors.size() != 2)
        return;
    auto stat = open_file("/proc/stat", O_RDONLY);
    threads_.reset(::opendir("/proc/self/task"));
    if (!stat || !threads_)
        return;
    stat_ = std::move(*stat);
    processor_ = side == Side::receiving ? processors.front() : processors.back();
    other_ = side == Side::receiving ? processors.back() : processors.front();
    if (const auto now = times()) {
        seen_ = *now;
        next_look_ = event::Clock::now() + kBetweenLooks;
        go(true);
    } else {
        processor_ = -1;
    }
}

void Place::look(event::Clock::time_point now)
{
    if (processor_ < 0 || now < next_look_)
        return;
    next_look_ = now + kBetweenLooks;
    const auto seen = times();
    if (!seen)
        return;
    const auto idle = idle_share(seen_.own, seen->own);
    const auto idle_elsewhere = idle_share(seen_.other, seen->other);
    seen_ = *seen;
    if (!idle || !idle_elsewhere || belongs_in_place(in_place_, *idle, *idle_elsewhere) == in_place_)
        return;
    go(!in_place_);
    if (!in_place_)
        next_look_ = now + kAway;
}

// All threads there are; one that is made later is where the one that makes it is.
void Place::go(bool into_place)
{
    in_place_ = into_place;
    cpu_set_t set = everywhere_;
    if (into_place) {
        CPU_ZERO(&set);
        CPU_SET(processor_, &set);
    }
    ::rewinddir(threads_.get());
    // One that works for another user may be out of reach; it stays where it is.
    while (const dirent* const entry = ::readdir(threads_.get()))
        if (const auto thread = text::to_long(entry->d_name))
            ::sched_setaffinity(static_cast<pid_t>(*thread), sizeof set, &set);
}

std::optional<Place::Times> Place::times() const
{
    // Some 100 bytes a processor, before what we do not read.
    std::array<char, 16384> buffer;
    const ssize_t got = ::pread(stat_.get(), buffer.data(), buffer.size(), 0);
    if (got <= 0)
        return std::nullopt;
    const std::string_view text(buffer.data(), static_cast<std::size_t>(got));
    const auto own = parse_processor_time(text, processor_);
    const auto other = parse_processor_time(text, other_);
    if (!own || !other)
        return std::nullopt;
    return Times{*own, *other};
}

} // namespace facteur::service
