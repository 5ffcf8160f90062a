#include "daemons/smtp/trouble.h"

#include <fmt/format.h>

namespace facteur::smtp_client {

Trouble local_trouble(std::string_view status, std::string reason)
{
    return {.status = std::string(status), .reason = std::move(reason)};
}

Trouble reply_trouble(std::string_view remote_mta, const Reply& reply, std::string reason)
{
    Trouble trouble{reply.status, std::move(reason), std::string(remote_mta), reply.one_line()};
    if (trouble.status.empty() || (trouble.status[0] != '4' && trouble.status[0] != '5')) {
        trouble.status = "5.5.0";
        trouble.reason.insert(0, "Protocol error: ");
    }
    return trouble;
}

Trouble said(std::string_view remote_mta, std::string_view name_and_address, const Reply& reply,
             std::string_view command)
{
    return reply_trouble(
        remote_mta, reply,
        fmt::format("host {} said: {} (in reply to {} command)", name_and_address, reply.one_line(), command));
}

Trouble broken(std::string_view name_and_address, Broken how, std::string_view doing)
{
    switch (how) {
    case Broken::closed:
        return local_trouble("4.4.2", fmt::format("lost connection with {} while {}", name_and_address, doing));
    case Broken::timed_out:
        return local_trouble("4.4.2", fmt::format("conversation with {} timed out while {}", name_and_address, doing));
    case Broken::local_data:
        break;
    }
    return local_trouble("4.3.0", fmt::format("local data error while talking to {}", name_and_address));
}

ipc::Dsn to_dsn(const Trouble& trouble)
{
    ipc::Dsn dsn;
    dsn.set_status(trouble.status);
    dsn.set_reason(trouble.reason);
    if (!trouble.diagnostic.empty()) {
        dsn.set_diagnostic_type("smtp");
        dsn.set_diagnostic_text(trouble.diagnostic);
    }
    if (!trouble.remote_mta.empty()) {
        dsn.set_remote_mta_type("dns");
        dsn.set_remote_mta(trouble.remote_mta);
    }
    return dsn;
}

} // namespace facteur::smtp_client
