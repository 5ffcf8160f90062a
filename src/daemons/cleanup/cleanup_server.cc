#include "daemons/cleanup/cleanup_server.h"

#include "base/log.h"
#include "base/run_delay.h"
#include "daemons/cleanup/flow_gate.h"
#include "daemons/cleanup/submission.h"
#include "ipc/client.h"
#include "ipc/flags.h"
#include "mail/date.h"
#include "queue/journal.h"
#include "queue/queue_file.h"
#include "queue/record_reader.h"
#include "queue/recovery.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>

namespace facteur::cleanup {

namespace {

using ipc::Channel;
using ipc::Request;

constexpr std::chrono::seconds kSlowFor{1}; // after the queue manager said that it is behind
constexpr int kNoticeAttempts = 10;         // a second apart; then the message gets its file without being asked for it

// A message whose content is still coming: who sends it, and under which id.
using StreamKey = std::pair<const Channel*, std::string>;

class CleanupServer final : public service::Server {
public:
    std::expected<void, std::string> before_jail(service::Process& process) override
    {
        settings_ = read_settings(process.config);
        tables_ = open_tables(process.config);
        spool_.emplace(settings_.hash_queue_names, settings_.hash_queue_depth);
        if (auto rules = queue::StandingRules::open(process.config.get(config::params::data_directory)))
            rules_.emplace(std::move(*rules));
        else
            log::warning("standing rules: {}", rules.error().message());
        run_delay_.emplace();
        return {};
    }

    std::expected<void, std::string> after_jail(service::Process& process) override
    {
        process_ = &process;
        auto journal = queue::Journal::open(process.loop, process.pool, {.name = "cleanup"});
        if (!journal)
            return std::unexpected(journal.error().message());
        journal_ = std::move(*journal);
        qmgr_ = std::make_unique<ipc::Client>(process.loop, settings_.qmgr_socket);
        bounce_ = std::make_unique<ipc::Client>(process.loop,
                                                "private/" + process.config.get(config::params::bounce_service_name));
        const FlowGate::Limits limits{.longest = std::min(FlowGate::Limits{}.longest, settings_.in_flow_delay)};
        gate_ = std::make_unique<FlowGate>(
            process.loop, limits, [this, &loop = process.loop] { return run_delay_->short_of_processors(loop.now()); });
        return {};
    }

    [[nodiscard]] Kind kind() const override { return Kind::requests; }
    [[nodiscard]] service::Side side() const override { return service::Side::receiving; }
    [[nodiscard]] bool faces_strangers() const override { return true; }

    event::Task<void> request(Request request, std::shared_ptr<Channel> from) override
    {
        if (request.method == ipc::Method::submit)
            co_await begin(std::move(request), std::move(from));
        else if (request.method == ipc::Method::submit_chunk)
            co_await go_on(std::move(request), std::move(from));
        else
            from->answer_refused(request);
    }

    void retire() override { retiring_ = true; }

    event::Task<void> drain() override
    {
        while (notices_ > 0)
            co_await process_->loop.sleep(event::milliseconds(20));
        co_await journal_->close();
    }

private:
    event::Task<void> begin(Request request, std::shared_ptr<Channel> from)
    {
        ipc::SubmitRequest submit;
        if (!request.parse(submit) || !queue::valid_queue_id(submit.queue_id())) {
            answer(request, *from, "", verdict(ipc::SUBMIT_BAD), 0);
            co_return;
        }
        if (request.repeated) {
            const bool stored = co_await already_stored(submit.queue_id());
            if (stored) {
                answer(request, *from, submit.queue_id(), verdict(ipc::SUBMIT_OK), 0);
                co_return;
            }
        }
        forget_lost_streams();
        const bool last = submit.last();
        auto submission =
            std::make_shared<Submission>(settings_, tables_, *spool_, standing_rules(), std::move(submit));
        submission->push(request.blob());
        if (last) {
            co_await complete(std::move(request), std::move(from), std::move(submission));
            co_return;
        }
        const std::string id = submission->queue_id();
        streams_[{from.get(), id}] = {submission, from};
        answer(request, *from, id, verdict(ipc::SUBMIT_OK), 0);
    }

    event::Task<void> go_on(Request request, std::shared_ptr<Channel> from)
    {
        ipc::SubmitChunk chunk;
        const bool parsed = request.parse(chunk);
        const auto found = streams_.find({from.get(), parsed ? chunk.queue_id() : std::string()});
        if (found == streams_.end()) {
            answer(request, *from, "", verdict(ipc::SUBMIT_BAD), 0);
            co_return;
        }
        const std::shared_ptr<Submission> submission = found->second.submission;
        if (chunk.abort() || chunk.last())
            streams_.erase(found);
        if (chunk.abort()) {
            answer(request, *from, submission->queue_id(), verdict(ipc::SUBMIT_OK), 0);
            co_return;
        }
        submission->push(request.blob());
        if (chunk.last())
            co_await complete(std::move(request), std::move(from), submission);
        else
            answer(request, *from, submission->queue_id(), verdict(ipc::SUBMIT_OK), 0);
    }

    // The one place where a message becomes ours: no answer says SUBMIT_OK before its bytes are on stable storage.
    event::Task<void> complete(Request request, std::shared_ptr<Channel> from, std::shared_ptr<Submission> submission)
    {
        // While the queue manager is behind, clients wait a little: mail then leaves first (in_flow_delay).
        if (process_->loop.now() < slow_until_)
            co_await process_->loop.sleep(settings_.in_flow_delay);
        FlowGate::Ticket ticket = co_await gate_->pass(submission->received());
        Verdict result = submission->finish(queue_file());
        Pin pin;
        if (result.ok() && !submission->discarded()) {
            result = co_await make_durable(*submission, pin);
        } else if (!result.ok() && submission->bounce_on_failure() && result.status != ipc::SUBMIT_WRITE &&
                   result.status != ipc::SUBMIT_DEFER) {
            result = co_await return_to_sender(*submission, result);
        }
        answer(request, *from, submission->queue_id(), result, submission->content_size());
        // Told after the answer: should we die in between, the answer is not asked for again when the message is gone.
        if (!result.ok() || submission->discarded())
            co_return;
        if (pin)
            event::spawn(hand_over(submission->arrival(), std::move(pin), std::move(ticket)));
        else if (submission->stored())
            event::spawn(tell_qmgr(submission->arrival()));
    }

    // Whether a message can count on a file later. Where the directory takes none, mail is refused as ever. Looked at
    // once a second at most.
    QueueFile queue_file()
    {
        constexpr std::uint64_t kFewFiles = 1000;
        if (const auto now = process_->loop.now(); now >= room_due_) {
            room_due_ = now + std::chrono::seconds(1);
            struct statvfs room{};
            const std::string incoming(queue::kIncoming);
            room_for_files_ = ::access(incoming.c_str(), W_OK | X_OK) == 0 && ::statvfs(incoming.c_str(), &room) == 0 &&
                              (room.f_files == 0 || room.f_favail > kFewFiles) &&
                              room.f_bavail > 8 * kMaxWithoutFile / room.f_frsize;
        }
        return room_for_files_ ? QueueFile::when_needed : QueueFile::at_once;
    }

    // The rules as they are; looked at once a second at most.
    const queue::StandingRules* standing_rules()
    {
        if (!rules_)
            return nullptr;
        if (const auto now = process_->loop.now(); now >= rules_due_) {
            rules_due_ = now + std::chrono::seconds(1);
            if (const auto refreshed = rules_->refresh(); !refreshed)
                log::warning("standing rules: {}", refreshed.error().message());
        }
        return rules_->rules().empty() ? nullptr : &*rules_;
    }

    // The client asks again because an earlier cleanup died. What that one had stored is stored, as a file or in its
    // journal; what it had only begun is in the way of the new file.
    event::Task<bool> already_stored(std::string id)
    {
        if (const auto queue = spool_->find(id)) {
            if (queue::finished_file(spool_->path(*queue, id)))
                co_return true;
            if (const auto removed = spool_->remove(*queue, id); !removed)
                log::warning("{}: {}", id, removed.error().message());
        }
        // The journals as they are from now on: one reading serves all who came before it began.
        const std::uint64_t wanted = ++readings_wanted_;
        while (readings_done_ < wanted) {
            if (reading_) {
                co_await process_->loop.sleep(event::milliseconds(5));
                continue;
            }
            reading_ = true;
            const std::uint64_t serves = readings_wanted_;
            journalled_ = co_await process_->pool.run([] { return queue::journalled_messages(); });
            readings_done_ = serves;
            reading_ = false;
        }
        co_return journalled_.contains(id);
    }

    using Pin = std::shared_ptr<queue::Journal::Pin>;

    // `pin` is set when the journal's record is the message; else it has its file.
    event::Task<Verdict> make_durable(Submission& submission, Pin& pin)
    {
        std::expected<void, SystemError> flushed;
        if (!submission.has_file()) {
            pin = journal_->append_pinned(queue::RecordType::message, submission.queue_id(), submission.take_file());
            flushed = co_await journal_->commit();
            if (!flushed)
                pin.reset();
        } else if (submission.in_memory() && submission.file_size() <= queue::kMaxRecord) {
            journal_->append_pieces(queue::RecordType::message, submission.queue_id(), submission.take_file());
            flushed = co_await journal_->commit();
        } else {
            flushed = co_await flush_file(submission);
        }
        if (!flushed) {
            log::warning("{}: {}", submission.queue_id(), flushed.error().message());
            co_return verdict(ipc::SUBMIT_WRITE);
        }
        if (pin)
            co_return verdict(ipc::SUBMIT_OK);
        Verdict published = submission.publish();
        co_return published;
    }

    // Large messages are not written twice: the file itself, and the directory that names it, are flushed.
    event::Task<std::expected<void, SystemError>> flush_file(Submission& submission)
    {
        const Verdict published = submission.publish();
        if (!published.ok())
            co_return std::unexpected(SystemError{"fchmod", submission.path(), EIO});
        const int fd = submission.fd();
        const std::string path = submission.path();
        auto flushed = co_await process_->pool.run([fd, &path]() -> std::expected<void, SystemError> {
            if (::fsync(fd) != 0)
                return std::unexpected(SystemError::last("fsync", path));
            const auto directory = open_file(path.substr(0, path.rfind('/')), O_RDONLY | O_DIRECTORY);
            if (!directory || ::fsync(directory->get()) != 0)
                return std::unexpected(SystemError::last("fsync directory of", path));
            return {};
        });
        if (!flushed)
            ::unlink(path.c_str());
        co_return flushed;
    }

    // qmgr would find the file by itself at its next scan; this makes it now. Repeated until qmgr has it.
    event::Task<void> tell_qmgr(ipc::Arrived arrival)
    {
        ++notices_;
        ipc::ArrivedReply reply;
        const auto told = co_await qmgr_->call(ipc::Method::arrived, arrival, reply);
        if (!told)
            log::warning("{}: queue manager not told: {}", arrival.queue_id(), ipc::to_string(told.error()));
        else
            heed(reply);
        --notices_;
    }

    // A message that is a record only: kept until qmgr says that it is gone or has its file. When qmgr does not answer
    // it gets its file here.
    event::Task<void> hand_over(ipc::Arrived arrival, Pin pin, FlowGate::Ticket /*until then*/)
    {
        ++notices_;
        const queue::RecordPlace& place = pin->place();
        arrival.mutable_record()->set_segment(place.path);
        arrival.mutable_record()->set_offset(place.offset);
        arrival.mutable_record()->set_size(place.size);
        ipc::ArrivedReply reply;
        for (int attempt = 0;; ++attempt) {
            const auto told =
                co_await qmgr_->call(ipc::Method::arrived, arrival, reply, {}, ipc::Client::Repeat::never);
            if (told)
                break;
            arrival.set_again(true);
            if (told.error() == ipc::IpcError::refused || retiring_ || attempt >= kNoticeAttempts) {
                log::warning("{}: queue manager not told: {}", arrival.queue_id(), ipc::to_string(told.error()));
                reply.set_make_file(true);
                break;
            }
            co_await process_->loop.sleep(std::chrono::seconds(1));
        }
        heed(reply);
        gate_->set_crowded(reply.crowded());
        if (reply.make_file()) {
            const bool made = co_await make_file(arrival, place);
            if (made) {
                pin.reset();
                arrival.clear_record();
                co_await tell_qmgr(arrival);
            } else {
                stranded_.push_back(std::move(pin));
            }
        }
        --notices_;
    }

    // Until it works: the message was promised, and what hinders may pass. False: we have to end before; the record
    // stays for the next start.
    event::Task<bool> make_file(const ipc::Arrived& arrival, const queue::RecordPlace& place)
    {
        const std::string& id = arrival.queue_id();
        for (;;) {
            co_await learn_what_is_gone();
            if (gone_ && gone_->removed.contains(id))
                co_return true;
            auto bytes = gone_ ? records_.read(place, id) : std::unexpected(gone_.error());
            if (bytes) // a queue manager that died may have been making it
                queue::clear_unfinished(*spool_, id);
            const auto made =
                bytes ? queue::file_record(*spool_, id, std::move(*bytes), *gone_, {}) : std::unexpected(bytes.error());
            if (made)
                co_return true;
            log::warning("{}: {}", id, made.error().message());
            room_for_files_ = false; // the next ones are refused rather than kept like this
            room_due_ = process_->loop.now() + std::chrono::seconds(10);
            if (retiring_)
                co_return false;
            co_await process_->loop.sleep(std::chrono::seconds(5));
        }
    }

    // What a queue manager that does not answer had noted. As of a second ago at most.
    event::Task<void> learn_what_is_gone()
    {
        while (learning_)
            co_await process_->loop.sleep(event::milliseconds(20));
        if (const auto now = process_->loop.now(); now >= gone_due_) {
            learning_ = true;
            gone_ = co_await process_->pool.run([] { return queue::read_slots("qmgr"); });
            gone_due_ = process_->loop.now() + std::chrono::seconds(1);
            learning_ = false;
        }
    }

    void heed(const ipc::ArrivedReply& reply)
    {
        if (reply.behind())
            slow_until_ = process_->loop.now() + kSlowFor;
    }

    // Local submission cannot be refused any more: the sender gets a notice instead (sendmail already said yes).
    event::Task<Verdict> return_to_sender(Submission& submission, Verdict why)
    {
        ipc::BounceFlush notice;
        notice.set_kind(ipc::BounceFlush::ONE);
        notice.set_queue_name(std::string(submission.queue()));
        notice.set_queue_id(submission.queue_id());
        *notice.mutable_envelope() = submission.envelope();
        notice.mutable_envelope()->clear_recipients();
        auto* const entry = notice.mutable_one();
        if (submission.envelope().recipients_size() > 0)
            *entry->mutable_recipient() = submission.envelope().recipients(0);
        else
            entry->mutable_recipient()->set_address("unknown");
        entry->mutable_dsn()->set_status(why.enhanced_status);
        entry->mutable_dsn()->set_action("failed");
        entry->mutable_dsn()->set_reason(why.reason);
        log::info("{}: to=<{}>, relay=none, delay=0, delays=0/0/0/0, dsn={}, status=bounced ({})",
                  submission.queue_id(), entry->recipient().address(), why.enhanced_status, why.reason);
        ipc::BounceReply reply;
        const auto sent = co_await bounce_->call(ipc::Method::bounce_flush, notice, reply);
        if (!sent || !reply.ok())
            co_return verdict(ipc::SUBMIT_WRITE);
        co_return verdict(ipc::SUBMIT_OK);
    }

    void answer(const Request& request, Channel& to, const std::string& id, const Verdict& result, std::uint64_t size)
    {
        ipc::SubmitReply reply;
        reply.set_status(result.status);
        // What the status alone says, each client says in its own words.
        if (result.reason != verdict(result.status).reason) {
            reply.set_enhanced_status(result.enhanced_status);
            reply.set_reason(result.reason);
        }
        reply.set_queue_id(id);
        reply.set_size(size);
        to.answer(request, reply);
    }

    void forget_lost_streams()
    {
        std::erase_if(streams_, [](const auto& entry) { return entry.second.from.expired(); });
    }

    struct Stream {
        std::shared_ptr<Submission> submission;
        std::weak_ptr<Channel> from;
    };

    Settings settings_;
    Tables tables_;
    std::optional<queue::Spool> spool_;
    service::Process* process_ = nullptr;
    std::unique_ptr<queue::Journal> journal_;
    std::optional<RunDelay> run_delay_;
    std::unique_ptr<FlowGate> gate_;
    std::unique_ptr<ipc::Client> qmgr_;
    std::unique_ptr<ipc::Client> bounce_;
    std::map<StreamKey, Stream> streams_;
    queue::RecordReader records_;
    std::expected<queue::Replay, SystemError> gone_;
    event::Clock::time_point gone_due_{};
    bool learning_ = false;
    bool room_for_files_ = true;
    event::Clock::time_point room_due_{};
    std::set<std::string, std::less<>> journalled_;
    std::uint64_t readings_wanted_ = 0;
    std::uint64_t readings_done_ = 0;
    bool reading_ = false;
    std::vector<Pin> stranded_; // promised, but no file could be made: kept for the next start
    int notices_ = 0;
    bool retiring_ = false;
    std::optional<queue::StandingRules> rules_;
    event::Clock::time_point rules_due_{};
    event::Clock::time_point slow_until_{};
};

} // namespace

std::unique_ptr<service::Server> make_server()
{
    return std::make_unique<CleanupServer>();
}

} // namespace facteur::cleanup
