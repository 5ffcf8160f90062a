// From an open connection to one that takes mail: greeting, EHLO with HELO as the way back, LHLO.
// Source: RFC 5321 s3.1, s3.2, RFC 2033.
#pragma once

#include "daemons/smtp/session.h"

#include <expected>
#include <string>

namespace facteur::smtp_client {

struct HandshakeOptions {
    std::string queue_id; // for log lines
    std::string nexthop;
    bool detect_loops = false; // on the SMTP port: a server with our own name is ourselves
    std::uint32_t discard_keywords = 0;
    std::uint32_t pix_workarounds = 0;
};

// Fills session.server. A failure counts against the destination.
event::Task<std::expected<void, Trouble>> shake_hands(Session& session, const Settings& settings,
                                                      HandshakeOptions options);

} // namespace facteur::smtp_client
