// The clock of the DATA phase.
#pragma once

#include "daemons/smtp/settings.h"
#include "event/loop.h"

namespace facteur::smtp_client {

inline constexpr std::size_t kChunk = 64 << 10;

// How long the next write may take. Without smtp_per_request_deadline each has the whole smtp_data_xfer_timeout; with
// it all writes share one, and every byte sent earns more at smtp_min_data_rate.
class TransferClock {
public:
    explicit TransferClock(const Settings& settings);
    [[nodiscard]] milliseconds remaining() const { return remaining_; }
    [[nodiscard]] bool running() const { return running_; }
    void sent(std::size_t bytes, event::Clock::duration elapsed);

private:
    milliseconds limit_;
    milliseconds remaining_;
    long rate_;
    bool running_;
};

} // namespace facteur::smtp_client
