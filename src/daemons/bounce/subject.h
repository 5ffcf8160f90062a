// The message that notices are about: who was recorded in its log, and its content as far as a notice returns it.
#pragma once

#include "agent/bounce_log.h"
#include "daemons/bounce/notice.h"
#include "queue/spool.h"

#include <optional>

namespace facteur::bounce {

struct Subject {
    Subject(ipc::BounceFlush flush, const queue::Spool& in) : request(std::move(flush)), spool(in) {}

    [[nodiscard]] const std::string& id() const { return request.queue_id(); }
    [[nodiscard]] const std::string& sender() const { return request.envelope().sender(); }

    // Reads the log of that queue; without one (kind ONE) the request itself names the recipient. No log: nobody.
    std::expected<void, SystemError> load(std::optional<std::string_view> log_queue);
    // Leaves out recipients that a later attempt settled.
    void forget_settled();
    // The content, or as much of it as the headers need. Nothing when the message is gone.
    [[nodiscard]] std::optional<std::string> original(Attach attach) const;

    ipc::BounceFlush request;
    const queue::Spool& spool;
    std::vector<ipc::LogRecipient> logged;
};

} // namespace facteur::bounce
