#include "daemons/showq/listing.h"

#include "base/log.h"
#include "daemons/showq/file_entry.h"

namespace facteur::showq {

namespace {
constexpr std::size_t kFilesPerChunk = 500;
constexpr event::milliseconds kPatience{20'000}; // then the files tell, slowly but surely

// A message can move while it is listed: active mail may be deferred by now and the other way around.
constexpr std::string_view kUnknownToQueueManager[] = {queue::kMaildrop, queue::kIncoming, queue::kHold};
constexpr std::string_view kAllQueues[] = {queue::kMaildrop, queue::kActive, queue::kIncoming, queue::kDeferred,
                                           queue::kHold};
} // namespace

event::Task<ipc::ListReply> Listing::next()
{
    if (phase_ == Phase::queue_manager) {
        ipc::ListReply reply = co_await next_of_queue_manager();
        if (reply.entries_size() > 0)
            co_return reply;
    }
    if (phase_ == Phase::files)
        co_return next_of_files();
    co_return ipc::ListReply{};
}

event::Task<ipc::ListReply> Listing::next_of_queue_manager()
{
    ipc::ListReply reply;
    do {
        ipc::ListRequest request;
        request.set_after(qmgr_last_);
        request.set_with_recipients(true);
        const auto done =
            co_await qmgr_->call(ipc::Method::list, request, reply, {}, ipc::Client::Repeat::never, kPatience);
        if (!done) {
            // What it said before it fell silent is not said again.
            log::warning("queue manager: {}: reading the queue files instead", ipc::to_string(done.error()));
            phase_ = Phase::files;
            co_return ipc::ListReply{};
        }
        if (reply.entries_size() > 0)
            qmgr_last_ = reply.entries(reply.entries_size() - 1).queue_id();
    } while (reply.entries_size() == 0 && reply.more());
    if (!reply.more()) {
        qmgr_answered_ = true;
        phase_ = Phase::files;
    }
    for (auto& entry : *reply.mutable_entries()) {
        seen_.insert(entry.queue_id());
        for (auto& recipient : *entry.mutable_recipients())
            if (recipient.reason().empty())
                recipient.set_reason(entry.reason());
        externalize(entry);
    }
    co_return reply;
}

void Listing::gather_files()
{
    gathered_ = true;
    const auto gather = [this](std::string_view queue) {
        const auto scanned = spool_.scan(queue, [&](const std::string& id, const std::string& path) {
            if (!seen_.contains(id))
                files_.push_back({queue, id, path});
            return true;
        });
        if (!scanned)
            log::warning("{}", scanned.error().message());
    };
    if (qmgr_answered_)
        std::ranges::for_each(kUnknownToQueueManager, gather);
    else
        std::ranges::for_each(kAllQueues, gather);
}

ipc::ListReply Listing::next_of_files()
{
    if (!gathered_)
        gather_files();
    ipc::ListReply reply;
    while (!files_.empty() && static_cast<std::size_t>(reply.entries_size()) < kFilesPerChunk) {
        const File file = std::move(files_.front());
        files_.pop_front();
        // A message that was renamed during the scan shows once.
        if (!seen_.insert(file.id).second)
            continue;
        if (auto entry = entry_of_file(spool_, file.queue, file.id, file.path)) {
            externalize(*entry);
            *reply.add_entries() = std::move(*entry);
        }
    }
    if (files_.empty())
        phase_ = Phase::end;
    return reply;
}

} // namespace facteur::showq
