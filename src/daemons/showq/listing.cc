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
    ipc::ListReply reply;
    if (phase_ == Phase::queue_manager)
        reply = co_await next_of_queue_manager();
    else if (phase_ == Phase::files)
        reply = co_await next_of_files();
    reply.set_undecided(undecided_);
    co_return reply;
}

event::Task<void> Listing::resolve_transports()
{
    const auto* const sender = facts_.sender();
    const auto* const recipients = facts_.recipients();
    if (!sender || !recipients || !rewrite_)
        co_return;
    std::vector<std::string> transports;
    for (const auto& address : *recipients) {
        const auto resolved = co_await rewrite_->resolve(*sender, address);
        if (!resolved || resolved->transport().empty())
            co_return;
        transports.push_back(resolved->transport());
    }
    facts_.set_transports(std::move(transports));
}

// Of the message that facts_ is about.
event::Task<bool> Listing::chosen()
{
    if (!where_)
        co_return true;
    queue::Truth truth = where_->matches(facts_);
    if (truth == queue::Truth::unknown && where_->uses(queue::Field::transport)) {
        co_await resolve_transports();
        truth = where_->matches(facts_);
    }
    undecided_ += truth == queue::Truth::unknown && facts_.there();
    co_return truth == queue::Truth::yes;
}

// Leaves the chosen entries.
event::Task<void> Listing::keep_chosen(ipc::ListReply& reply)
{
    ipc::ListReply kept;
    kept.set_more(reply.more());
    for (auto& entry : *reply.mutable_entries()) {
        facts_.about(entry);
        const bool wanted = co_await chosen();
        if (wanted)
            *kept.add_entries() = std::move(entry);
    }
    reply = std::move(kept);
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
    for (const auto& entry : reply.entries())
        seen_.insert(entry.queue_id());
    if (where_)
        co_await keep_chosen(reply);
    for (auto& entry : *reply.mutable_entries()) {
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

event::Task<ipc::ListReply> Listing::next_of_files()
{
    if (!gathered_)
        gather_files();
    ipc::ListReply reply;
    for (std::size_t read = 0; !files_.empty() && read < kFilesPerChunk; ++read) {
        const File file = std::move(files_.front());
        files_.pop_front();
        // A message that was renamed during the scan shows once.
        if (!seen_.insert(file.id).second)
            continue;
        facts_.about(file.queue, file.id);
        const bool wanted = co_await chosen();
        if (!wanted)
            continue;
        if (auto entry = entry_of_file(spool_, file.queue, file.id, file.path)) {
            externalize(*entry);
            *reply.add_entries() = std::move(*entry);
        }
    }
    if (files_.empty())
        phase_ = Phase::end;
    co_return reply;
}

} // namespace facteur::showq
