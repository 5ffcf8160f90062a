// What the files alone tell of a message: for held mail, mail that waits to be picked up, and a stopped system.
#pragma once

#include "ipc/list_page.h"
#include "ipc/messages.pb.h"
#include "queue/spool.h"

#include <optional>
#include <string>
#include <string_view>

namespace facteur::showq {

// Nothing when the file is gone, still being written or no queue file (which is logged).
std::optional<ipc::ListEntry> entry_of_file(const queue::Spool& spool, std::string_view queue, const std::string& id,
                                            const std::string& path);

// An entry as a listing carries it, and back. Addresses stay as they are.
void pack(ipc::ListPageWriter& page, const ipc::ListEntry& entry);
ipc::ListEntry unpack(ipc::ListPage& page); // the message at which the page stands; takes its recipients

// Internal addresses become what a person reads: quoted, MAILER-DAEMON for the null address.
void externalize(ipc::ListEntry& entry);

} // namespace facteur::showq
