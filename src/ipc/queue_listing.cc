#include "ipc/queue_listing.h"

namespace facteur::ipc {

std::optional<std::uint64_t> read_listing(BlockingChannel& showq, ListRequest request,
                                          const std::function<void(ListPage& page)>& each)
{
    constexpr event::milliseconds kPatience{3'600'000};
    ListReply reply;
    do {
        std::string bytes;
        if (!showq.call(Method::list, request, reply, kPatience, &bytes) || !reply.error().empty())
            return std::nullopt;
        ListPage page(bytes);
        each(page);
        if (page.bad())
            return std::nullopt;
        request.set_chunk(reply.next_chunk());
        request.clear_where();
        request.clear_queues();
    } while (request.chunk() != 0);
    return reply.undecided();
}

} // namespace facteur::ipc
