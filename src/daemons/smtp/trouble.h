// Why a delivery did not happen: enhanced status, the text for people, and what the other side said. RFC 3463, RFC
// 3464.
#pragma once

#include "daemons/smtp/server_reply.h"
#include "ipc/messages.pb.h"

#include <string>
#include <string_view>

namespace facteur::smtp_client {

struct Trouble {
    std::string status; // "4.4.1"; empty: nothing went wrong so far
    std::string reason; // what the log shows in parentheses
    std::string remote_mta;
    std::string diagnostic; // the reply, when one was the reason

    [[nodiscard]] bool any() const { return !status.empty(); }
    [[nodiscard]] bool soft() const { return status.starts_with('4'); }
    // "mail for x loops back to myself"
    [[nodiscard]] bool loop() const { return status.ends_with(".4.6"); }
};

// Found by ourselves.
Trouble local_trouble(std::string_view status, std::string reason);
// From a reply: the status is the reply's. A success where it makes no sense is a protocol error.
Trouble reply_trouble(std::string_view remote_mta, const Reply& reply, std::string reason);
// "host x[1.2.3.4] said: 550 5.1.1 no such user (in reply to RCPT TO command)"
Trouble said(std::string_view remote_mta, std::string_view name_and_address, const Reply& reply,
             std::string_view command);
// "lost connection with x[1.2.3.4] while sending RCPT TO", "conversation with x[1.2.3.4] timed out while ...", ...
enum class Broken { closed, timed_out, local_data };
Trouble broken(std::string_view name_and_address, Broken how, std::string_view doing);

ipc::Dsn to_dsn(const Trouble& trouble);

} // namespace facteur::smtp_client
