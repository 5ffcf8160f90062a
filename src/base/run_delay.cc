#include "base/run_delay.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>

namespace facteur {

std::optional<std::uint64_t> parse_run_delay(std::string_view schedstat)
{
    const std::size_t space = schedstat.find(' ');
    if (space == std::string_view::npos)
        return std::nullopt;
    const char* const end = schedstat.data() + schedstat.size();
    std::uint64_t delay = 0;
    const auto parsed = std::from_chars(schedstat.data() + space + 1, end, delay);
    if (parsed.ec != std::errc() || parsed.ptr == end || *parsed.ptr != ' ')
        return std::nullopt;
    return delay;
}

RunDelay::RunDelay() : looked_(Clock::now())
{
    if (auto file = open_file("/proc/self/schedstat", O_RDONLY))
        file_ = std::move(*file);
    waited_ = waited().value_or(0);
}

std::optional<std::uint64_t> RunDelay::waited() const
{
    std::array<char, 128> text{};
    const ssize_t got = ::pread(file_.get(), text.data(), text.size(), 0);
    if (got <= 0)
        return std::nullopt;
    return parse_run_delay({text.data(), static_cast<std::size_t>(got)});
}

bool RunDelay::short_of_processors(Clock::time_point now)
{
    constexpr std::chrono::milliseconds kOften{50};
    if (!file_ || now - looked_ < kOften)
        return short_;
    const auto waited = this->waited();
    if (!waited) {
        file_.reset();
        return short_ = false;
    }
    const std::chrono::nanoseconds passed = now - looked_;
    const std::chrono::nanoseconds lost(*waited - waited_);
    looked_ = now;
    waited_ = *waited;
    return short_ = lost >= passed / 5;
}

} // namespace facteur
