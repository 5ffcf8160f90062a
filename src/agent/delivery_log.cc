#include "agent/delivery_log.h"

#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

namespace facteur::agent {

std::string format_delay(std::chrono::microseconds delay, int max_decimals)
{
    constexpr std::int64_t kSecond = 1'000'000;
    const std::int64_t micros = std::max<std::int64_t>(delay.count(), 0);

    // The unit that the last shown digit stands for: as fine as asked for, as coarse as two digits need, never beyond
    // whole seconds.
    std::int64_t unit = kSecond;
    for (int i = 0; i < std::clamp(max_decimals, 0, 6); ++i)
        unit /= 10;
    while (unit < kSecond && micros >= 100 * unit)
        unit *= 10;

    const std::int64_t rounded = (micros + unit / 2) / unit * unit;
    std::string out = fmt::format("{}.{:06}", rounded / kSecond, rounded % kSecond);
    out.erase(out.find_last_not_of('0') + 1);
    if (out.back() == '.')
        out.pop_back();
    return out;
}

std::string format_outcome(const OutcomeLine& line, int delay_decimals)
{
    std::string out = fmt::format("{}: to=<{}>", line.queue_id, line.recipient);
    const auto at = std::back_inserter(out);
    if (!line.original.empty() && !text::iequals(line.original, line.recipient))
        fmt::format_to(at, ", orig_to=<{}>", line.original);
    fmt::format_to(at, ", relay={}", line.relay);
    if (line.connection_use > 1)
        fmt::format_to(at, ", conn_use={}", line.connection_use);
    const Delays& d = line.delays;
    const auto shown = [&](std::chrono::microseconds delay) { return format_delay(delay, delay_decimals); };
    fmt::format_to(at, ", delay={}, delays={}/{}/{}/{}", shown(d.total()), shown(d.before_queue_manager),
                   shown(d.in_queue_manager), shown(d.connection_setup), shown(d.transmission));
    fmt::format_to(at, ", dsn={}, status={} ({})", line.dsn, line.status, line.reason);
    return out;
}

} // namespace facteur::agent
