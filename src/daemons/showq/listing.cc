#include "daemons/showq/listing.h"

#include "base/log.h"
#include "daemons/showq/file_entry.h"

#include <unistd.h>

#include <algorithm>

namespace facteur::showq {

namespace {
constexpr std::size_t kFilesPerChunk = 500;
constexpr event::milliseconds kPatience{20'000}; // then the files tell, slowly but surely

// A message can move while it is listed: active mail may be deferred by now and the other way around.
constexpr std::string_view kUnknownToQueueManager[] = {queue::kMaildrop, queue::kIncoming, queue::kHold};
// Active mail once more at the end: a flush takes deferred mail there while the directories are read.
constexpr std::string_view kAllQueues[] = {queue::kMaildrop, queue::kActive, queue::kIncoming,
                                           queue::kDeferred, queue::kHold,   queue::kActive};
} // namespace

// A page on its way.
struct Listing::Ahead {
    explicit Ahead(event::Loop& loop) : ended(loop) {}
    std::optional<std::expected<void, ipc::IpcError>> outcome;
    ipc::ListReply reply;
    std::string page;
    event::Condition ended;
};

Listing::Listing(const Context& context, const ipc::ListRequest& wanted, std::optional<queue::Selection> where,
                 std::int64_t now)
    : context_(context), where_(std::move(where)), facts_(context.spool, now),
      phase_(context.qmgr ? Phase::queue_manager : Phase::files)
{
    *request_.mutable_queues() = wanted.queues();
    request_.set_with_recipients(wanted.with_recipients() || where_);
}

event::Task<Listing::Piece> Listing::next()
{
    Piece piece;
    if (phase_ == Phase::queue_manager)
        piece.page = co_await next_of_queue_manager();
    else if (phase_ == Phase::files)
        piece.page = co_await next_of_files();
    piece.reply.set_undecided(undecided_);
    co_return piece;
}

bool Listing::wanted(std::string_view queue) const
{
    return request_.queues().empty() || std::ranges::find(request_.queues(), queue) != request_.queues().end();
}

event::Task<void> Listing::resolve_transports()
{
    const auto* const sender = facts_.sender();
    const auto* const recipients = facts_.recipients();
    if (!sender || !recipients || !context_.rewrite)
        co_return;
    std::vector<std::string> transports;
    for (const auto& address : *recipients) {
        const auto resolved = co_await context_.rewrite->resolve(*sender, address);
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

event::Task<std::string> Listing::chosen_of(std::string page)
{
    ipc::ListPageWriter kept;
    for (ipc::ListPage all(page); all.next();) {
        const ipc::ListEntry entry = unpack(all);
        facts_.about(entry);
        const bool wanted = co_await chosen();
        if (wanted)
            pack(kept, entry);
    }
    co_return kept.bytes();
}

event::Task<void> Listing::ask(ipc::Client& qmgr, ipc::ListRequest request, std::shared_ptr<Ahead> ahead)
{
    ahead->outcome = co_await qmgr.call(ipc::Method::list, request, ahead->reply, {}, ipc::Client::Repeat::never,
                                        kPatience, &ahead->page);
    ahead->ended.notify_all();
}

void Listing::ask_ahead()
{
    ahead_ = std::make_shared<Ahead>(context_.loop);
    event::spawn(ask(*context_.qmgr, request_, ahead_));
}

// False: it is no page.
bool Listing::note_seen(std::string_view page)
{
    ipc::ListPage all(page);
    while (all.next())
        seen_.insert(all.message().id);
    return !all.bad();
}

event::Task<std::string> Listing::next_of_queue_manager()
{
    if (!ahead_)
        ask_ahead();
    const auto came = std::exchange(ahead_, nullptr);
    while (!came->outcome)
        co_await came->ended.wait();
    if (!*came->outcome || !note_seen(came->page)) {
        // What it said before it fell silent is not said again.
        const auto why = *came->outcome ? ipc::IpcError::malformed : came->outcome->error();
        log::warning("queue manager: {}: reading the queue files instead", ipc::to_string(why));
        phase_ = Phase::files;
        co_return std::string();
    }
    partial_ |= came->reply.partial();
    if (came->reply.more()) {
        request_.set_after(came->reply.last());
        ask_ahead();
    } else {
        qmgr_knows_all_ = !partial_;
        phase_ = Phase::files;
    }
    if (!where_)
        co_return std::move(came->page);
    std::string page = co_await chosen_of(std::move(came->page));
    co_return page;
}

void Listing::gather_files()
{
    gathered_ = true;
    const auto gather = [this](std::string_view queue) {
        if (!wanted(queue))
            return;
        const auto scanned = context_.spool.scan(queue, [&](const std::string& id, const std::string& path) {
            if (!seen_.contains(id))
                files_.push_back({queue, id, path});
            return true;
        });
        if (!scanned)
            log::warning("{}", scanned.error().message());
    };
    if (qmgr_knows_all_)
        std::ranges::for_each(kUnknownToQueueManager, gather);
    else
        std::ranges::for_each(kAllQueues, gather);
}

// Where the file is now; false: it is gone, or in a queue that was not asked for.
bool Listing::follow(File& file) const
{
    if (::access(file.path.c_str(), F_OK) == 0)
        return true;
    const auto queue = context_.spool.find(file.id);
    if (!queue || !wanted(*queue))
        return false;
    file.queue = *queue;
    file.path = context_.spool.path(*queue, file.id);
    return true;
}

event::Task<std::string> Listing::next_of_files()
{
    if (!gathered_)
        gather_files();
    ipc::ListPageWriter page;
    for (std::size_t read = 0; !files_.empty() && read < kFilesPerChunk; ++read) {
        File file = std::move(files_.front());
        files_.pop_front();
        // A message that was renamed during the scan shows once.
        if (!seen_.insert(file.id) || !follow(file))
            continue;
        facts_.about(file.queue, file.id);
        const bool wanted = co_await chosen();
        if (!wanted)
            continue;
        if (const auto entry = entry_of_file(context_.spool, file.queue, file.id, file.path))
            pack(page, *entry);
    }
    if (files_.empty())
        phase_ = Phase::end;
    co_return page.bytes();
}

} // namespace facteur::showq
