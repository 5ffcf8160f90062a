#include "daemons/smtp/transfer_clock.h"

#include <algorithm>

namespace facteur::smtp_client {

TransferClock::TransferClock(const Settings& settings)
    : limit_(settings.timeouts.data_xfer), remaining_(limit_), rate_(std::max(1L, settings.min_data_rate)),
      running_(settings.per_request_deadline && limit_ != milliseconds::max())
{
}

void TransferClock::sent(std::size_t bytes, event::Clock::duration elapsed)
{
    if (!running_)
        return;
    const auto earned = milliseconds(static_cast<long>(bytes) * 1000 / rate_);
    remaining_ =
        std::clamp(remaining_ - std::chrono::duration_cast<milliseconds>(elapsed) + earned, milliseconds(1), limit_);
}

} // namespace facteur::smtp_client
