// What postsuper tells the queue manager: which messages it changed, thousands at a time. What only takes mail away is
// told while the work goes on; what may be delivered now is told at its end, so that the deliveries do not compete with
// it. A system that is not running sees the files when it starts.
#pragma once

#include "ipc/blocking_channel.h"
#include "ipc/messages.pb.h"

#include <map>
#include <optional>
#include <string>

namespace facteur::postsuper {

class Notices {
public:
    explicit Notices(std::string qmgr_socket) : socket_(std::move(qmgr_socket)) {}

    void changed(ipc::QueueChange::Operation operation, const std::string& id);
    // Somebody will hear it.
    bool heard();
    // The queue manager shall empty the trash, when it knows the rest.
    void trash_filled();
    // Tells the rest, and waits until the queue manager knows all of it. False: it does not.
    bool finish();

private:
    void connect();
    void tell(ipc::QueueChange& change);

    std::string socket_;
    bool tried_ = false;
    std::optional<ipc::BlockingChannel> qmgr_; // nothing: not running
    std::map<ipc::QueueChange::Operation, std::vector<ipc::QueueChange>> changes_;
};

} // namespace facteur::postsuper
