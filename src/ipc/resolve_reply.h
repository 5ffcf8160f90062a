// A resolution as trivial-rewrite(8) tells it to the other daemons.
#pragma once

#include "ipc/messages.pb.h"
#include "mail/rewrite.h"

namespace facteur::ipc {

// A table that cannot answer becomes resolve_flag::failed, and a warning in the log.
ResolveReply to_reply(const std::expected<mail::Resolution, mail::LookupFailure>& answer);

// A content_filter takes the place of where the mail would go: its transport, and its nexthop, or else
// `default_nexthop` (default_filter_nexthop), or else the recipient's domain. Mail made by the system is not filtered.
void divert_to_filter(const queue::Envelope& envelope, std::string_view default_nexthop, std::string_view recipient,
                      std::string& transport, std::string& nexthop);

} // namespace facteur::ipc
