// A resolution as trivial-rewrite(8) tells it to the other daemons.
#pragma once

#include "ipc/messages.pb.h"
#include "mail/rewrite.h"

namespace facteur::ipc {

// A table that cannot answer becomes resolve_flag::failed, and a warning in the log.
ResolveReply to_reply(const std::expected<mail::Resolution, mail::LookupFailure>& answer);

} // namespace facteur::ipc
