#include "daemons/qmgr/qmgr_server.h"

#include "base/log.h"
#include "base/text.h"
#include "daemons/qmgr/explain.h"
#include "daemons/qmgr/listing.h"
#include "daemons/qmgr/now.h"
#include "daemons/qmgr/queue_manager.h"
#include "queue/recovery.h"
#include "queue/trash.h"

#include <malloc.h>

namespace facteur::qmgr {

namespace {

using queue::Spool;

constexpr int kLargeBlock = 1 << 20;       // goes back to the system as soon as it is free
constexpr std::size_t kScanBatch = 500;    // files that a worker reads at once
constexpr int kReadAtOnce = 4;             // batches; the pool has other work as well
constexpr std::size_t kKnownBatch = 20000; // known names looked at in one turn

class QmgrServer final : public service::Server {
public:
    std::expected<void, std::string> before_jail(service::Process& process) override
    {
        // The queue lives in memory for months: what worker threads read on its way there must leave no holes behind.
        ::mallopt(M_ARENA_MAX, 1);
        ::mallopt(M_MMAP_THRESHOLD, kLargeBlock);
        ::mallopt(M_TRIM_THRESHOLD, 4 * kLargeBlock); // pages of listings come and go
        settings_ = read_settings(process.config);
        settings_.workers = process.processors;
        spool_.emplace(settings_.hash_queue_names, settings_.hash_queue_depth);
        priorities_.emplace(process.config);
        return {};
    }

    std::expected<void, std::string> after_jail(service::Process& process) override
    {
        process_ = &process;
        queue::Journal::Options options{.name = "qmgr", .segment_size = 4 << 20};
        options.forget_before = [] { return queue::oldest_live_record("cleanup"); };
        options.promise = queue::Journal::Options::Promise::write_through;
        const bool after_loss = queue::abandoned("qmgr");
        auto journal = queue::Journal::open(process.loop, process.pool, std::move(options));
        if (!journal)
            return std::unexpected(journal.error().message());
        manager_ = std::make_unique<QueueManager>(process.loop, process.pool, process.config, settings_, *spool_,
                                                  *priorities_, std::move(*journal));
        event::spawn(begin(after_loss));
        event::spawn(watch_incoming());
        return {};
    }

    [[nodiscard]] Kind kind() const override { return Kind::requests; }
    [[nodiscard]] service::Side side() const override { return service::Side::delivering; }
    [[nodiscard]] bool persistent() const override { return true; }

    event::Task<void> request(ipc::Request request, std::shared_ptr<ipc::Channel> from) override
    {
        switch (request.method) {
        case ipc::Method::arrived: {
            ipc::Arrived arrival;
            if (!request.parse(arrival) || !queue::valid_queue_id(arrival.queue_id())) {
                from->answer(request, ipc::ArrivedReply());
                break;
            }
            request.message.clear();
            manager_->arrived(std::move(arrival), [request = std::move(request), from](const ipc::ArrivedReply& reply) {
                from->answer(request, reply);
            });
            break;
        }
        case ipc::Method::queue_change: {
            ipc::QueueChange change;
            if (request.parse(change)) {
                manager_->changed(change);
                if (change.operation() == ipc::QueueChange::SCAN)
                    event::spawn(scan(false));
                if (change.operation() == ipc::QueueChange::EMPTY_TRASH)
                    event::spawn(empty_trash());
            }
            from->answer(request, ipc::Nothing());
            break;
        }
        case ipc::Method::list:
            co_await know_what_is_there();
            list(request, *from);
            break;
        case ipc::Method::explain: {
            ipc::ExplainRequest wanted;
            if (request.parse(wanted)) {
                manager_->make_file_of(wanted.queue_id());
                from->answer(request, explain(wanted, manager_->index(), manager_->scheduler()));
            } else {
                from->answer_refused(request);
            }
            break;
        }
        default:
            from->answer_refused(request);
        }
        co_return;
    }

    // Postfix's request bytes: A and F make everything due, I and D and W look into the directories.
    void trigger(char what) override
    {
        if (what == 'F' || what == 'A')
            manager_->flush_all();
        if (what == 'I' || what == 'D' || what == 'W')
            event::spawn(scan(false));
    }

    void retire() override
    {
        stop_emptying_.request_stop();
        manager_->retire();
    }
    event::Task<void> drain() override { co_await manager_->drain(); }

private:
    event::Task<void> begin(bool after_loss)
    {
        // Agents note what they have and had of the queue manager that died; then it is our turn.
        if (after_loss) {
            co_await process_->loop.sleep(event::milliseconds(1500));
            co_await manager_->settle_losses();
        }
        begun_ = true;
        event::spawn(watch_losses());
        event::spawn(empty_trash());
        co_await scan(true);
    }

    // A listing shows what a cleanup or queue manager that died a moment ago has left, too.
    event::Task<void> know_what_is_there()
    {
        while (!begun_)
            co_await process_->loop.sleep(event::milliseconds(20));
        co_await manager_->settle_losses();
    }

    // On a thread of its own for as long as it takes: what lies there is in nobody's way.
    event::Task<void> empty_trash()
    {
        if (std::exchange(emptying_, true)) {
            empty_again_ = true;
            co_return;
        }
        const Spool& spool = *spool_;
        const std::stop_token stop = stop_emptying_.get_token();
        do {
            empty_again_ = false;
            const auto emptied = co_await process_->pool.run([&spool, stop]() -> std::expected<void, SystemError> {
                if (queue::trash_is_empty())
                    return {};
                return queue::empty_trash(spool, stop);
            });
            if (!emptied)
                log::warning("{}", emptied.error().message());
        } while (empty_again_ && !stop.stop_requested());
        emptying_ = false;
    }

    event::Task<void> watch_losses()
    {
        for (;;) {
            co_await process_->loop.sleep(event::milliseconds(1000));
            co_await manager_->settle_losses();
        }
    }

    // Meets every file of the queue, a batch a turn, so that mail flows while a large queue is being read.
    event::Task<void> scan(bool at_start)
    {
        if (scanning_) {
            scan_again_ = true;
            co_return;
        }
        scanning_ = true;
        do {
            scan_again_ = false;
            ++round_;
            if (at_start)
                co_await scan_queue(Place::active);
            co_await scan_queue(Place::incoming);
            co_await scan_queue(Place::deferred);
            co_await scan_queue(Place::hold);
            manager_->finish_scan(round_);
            if (!std::exchange(all_met_, true))
                ::malloc_trim(0); // what reading took is not needed any more
        } while (scan_again_);
        scanning_ = false;
    }

    // A cleanup that died between accepting a message and telling us leaves it here: nobody else will say.
    event::Task<void> watch_incoming()
    {
        constexpr event::milliseconds kEvery{5000};
        for (;;) {
            co_await process_->loop.sleep(kEvery);
            if (!scanning_)
                co_await scan_queue(Place::incoming, Settled::only);
        }
    }

    // Batches of files that are being read.
    struct Reading {
        explicit Reading(event::Loop& loop) : fewer(loop) {}
        int open = 0;
        event::Condition fewer;
    };
    // Settled::only leaves files of the last seconds alone: whoever made them may be about to announce them.
    enum class Settled { any, only };
    event::Task<void> scan_queue(Place place, Settled settled = Settled::any)
    {
        const std::string queue(queue_name(place));
        const Spool& spool = *spool_;
        struct Found {
            std::vector<std::string> ids;
            std::vector<std::string> odd;
            std::string error;
        };
        Found found = co_await process_->pool.run([&spool, &queue] {
            Found result;
            const auto done = spool.scan(
                queue,
                [&](const std::string& id, const std::string&) {
                    result.ids.push_back(id);
                    return true;
                },
                [&](const std::string& path) { result.odd.push_back(path); });
            if (!done)
                result.error = done.error().message();
            return result;
        });
        if (!found.error.empty())
            log::warning("{}", found.error);
        for (const auto& path : found.odd)
            log::warning("bogus file name: {}", text::printable(path));
        Reading reading(process_->loop);
        std::vector<std::string> unknown;
        for (std::size_t i = 0; i < found.ids.size(); ++i) {
            if (!manager_->knows(place, found.ids[i], round_))
                unknown.push_back(std::move(found.ids[i]));
            if (unknown.size() == kScanBatch) {
                while (reading.open == kReadAtOnce)
                    co_await reading.fewer.wait();
                event::spawn(meet(place, std::exchange(unknown, {}), settled, reading));
            } else if (i % kKnownBatch == kKnownBatch - 1) {
                co_await process_->loop.sleep(event::milliseconds(1));
            }
        }
        if (!unknown.empty())
            event::spawn(meet(place, std::move(unknown), settled, reading));
        while (reading.open > 0)
            co_await reading.fewer.wait();
        manager_->run_due();
    }

    // Files are read on worker threads, while mail flows. `reading` belongs to the scan, which waits for all of it.
    event::Task<void> meet(Place place, std::vector<std::string> ids, Settled settled, Reading& reading)
    {
        ++reading.open;
        const Spool& spool = *spool_;
        const auto facts = co_await process_->pool.run([&spool, &ids, place] {
            std::vector<FileFacts> read;
            read.reserve(ids.size());
            for (auto& id : ids)
                read.push_back(read_facts(spool, place, std::move(id)));
            return read;
        });
        for (const FileFacts& each : facts)
            if (settled == Settled::any || !each.fresh)
                manager_->met(each, round_);
        manager_->run_due();
        --reading.open;
        reading.fewer.notify_one(); // the scan may end here, and `reading` with it
    }

    void list(const ipc::Request& request, ipc::Channel& to)
    {
        ipc::ListRequest wanted;
        ipc::ListReply reply;
        if (!request.parse(wanted)) {
            to.answer_refused(request);
            return;
        }
        reply.set_partial(!all_met_);
        const std::string page = listing_.page(manager_->index(), wanted, reply);
        to.answer(request, reply, page);
    }

    Settings settings_;
    std::optional<Spool> spool_;
    std::optional<Priorities> priorities_;
    service::Process* process_ = nullptr;
    std::unique_ptr<QueueManager> manager_;
    Listing listing_;
    std::uint32_t round_ = 0;
    bool begun_ = false;
    bool all_met_ = false; // the scan at the start has ended
    bool scanning_ = false;
    bool scan_again_ = false;
    std::stop_source stop_emptying_;
    bool emptying_ = false;
    bool empty_again_ = false;
};

} // namespace

std::unique_ptr<service::Server> make_server()
{
    return std::make_unique<QmgrServer>();
}

} // namespace facteur::qmgr
