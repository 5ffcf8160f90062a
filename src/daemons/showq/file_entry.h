// What the files alone tell of a message: for held mail, mail that waits to be picked up, and a stopped system.
#pragma once

#include "ipc/messages.pb.h"
#include "queue/spool.h"

#include <optional>
#include <string>
#include <string_view>

namespace facteur::showq {

// Nothing when the file is gone, still being written or no queue file (which is logged).
std::optional<ipc::ListEntry> entry_of_file(const queue::Spool& spool, std::string_view queue, const std::string& id,
                                            const std::string& path);

// Internal addresses become what a person reads: quoted, MAILER-DAEMON for the null address.
void externalize(ipc::ListEntry& entry);

} // namespace facteur::showq
