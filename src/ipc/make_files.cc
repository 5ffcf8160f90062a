#include "ipc/make_files.h"

#include "ipc/blocking_channel.h"
#include "ipc/messages.pb.h"

namespace facteur::ipc {

void make_queue_files(const std::string& socket_path)
{
    constexpr event::milliseconds kPatience{10'000};
    auto qmgr = BlockingChannel::connect(socket_path);
    if (!qmgr)
        return;
    QueueChange change;
    change.set_operation(QueueChange::MAKE_FILES);
    Nothing reply;
    (void)qmgr->call(Method::queue_change, change, reply, kPatience); // best effort
}

} // namespace facteur::ipc
