// How a command reads the queue from showq: page after page, over one connection.
#pragma once

#include "ipc/blocking_channel.h"
#include "ipc/list_page.h"
#include "ipc/messages.pb.h"

#include <cstdint>
#include <functional>
#include <optional>

namespace facteur::ipc {

// Calls `each` with every page, which stands before its first message. Tells how many messages were left out because
// the selection asks what is not known of them; nothing when the conversation broke off.
std::optional<std::uint64_t> read_listing(BlockingChannel& showq, ListRequest request,
                                          const std::function<void(ListPage& page)>& each);

} // namespace facteur::ipc
