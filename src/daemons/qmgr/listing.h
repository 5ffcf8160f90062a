// The index as a listing: packed page after page, in the order of ids, each from memory and in a few milliseconds,
// because mail waits meanwhile.
#pragma once

#include "daemons/qmgr/index.h"
#include "ipc/messages.pb.h"

#include <string>

namespace facteur::qmgr {

class Listing {
public:
    // The page that is asked for (ipc/list_page.h); fills `more` and `last` of the reply.
    std::string page(const MessageIndex& index, const ipc::ListRequest& wanted, ipc::ListReply& reply);

private:
    std::uint64_t pages_ = 0; // made so far
};

} // namespace facteur::qmgr
