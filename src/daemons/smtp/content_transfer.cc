#include "daemons/smtp/content_transfer.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace facteur::smtp_client {

bool read_content(const Content& content, std::uint64_t at, std::size_t size, std::string& into)
{
    const std::size_t before = into.size();
    into.resize(before + size);
    std::size_t have = 0;
    while (have < size) {
        const ssize_t got = ::pread(content.file, into.data() + before + have, size - have,
                                    static_cast<off_t>(content.offset + at + have));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        have += static_cast<std::size_t>(got);
    }
    return true;
}

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
