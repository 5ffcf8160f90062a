// pickup: feeds what local users dropped into maildrop/ to cleanup. Source: pickup(8).
//
// Woken by a trigger byte, it reads the directory and submits the files it finds, several at a time. A file leaves
// maildrop only after cleanup has said that the message is on disk.
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"
#include "daemons/pickup/intake.h"
#include "ipc/client.h"
#include "ipc/flags.h"
#include "ipc/messages.pb.h"
#include "mail/date.h"
#include "queue/spool.h"
#include "service/service.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <deque>
#include <optional>
#include <set>

namespace {

using namespace facteur;
using pickup::DroppedMessage;
using pickup::Unfit;

constexpr std::size_t kAtOnce = 32;      // messages on their way to cleanup
constexpr std::size_t kScanLimit = 5000; // names taken from the directory at once
constexpr int kSecondsADay = 86'400;

struct Settings {
    std::string myhostname;
    std::string mail_name;
    std::string content_filter;
    std::uint32_t flags = 0; // ipc::submit_flag
    long maximal_queue_days = 5;
};

bool has_word(std::string_view list, std::string_view word)
{
    const auto words = text::split_list(list);
    return std::ranges::any_of(words, [word](std::string_view each) { return text::iequals(each, word); });
}

// What is done to local submissions: everything, unless receive_override_options says otherwise.
std::uint32_t submit_flags(const config::Config& config)
{
    using namespace ipc::submit_flag;
    std::uint32_t flags = filter | map | bcc | milter | bounce;
    const std::string& overrides = config.get(config::params::receive_override_options);
    if (has_word(overrides, "no_address_mappings"))
        flags &= ~(map | bcc);
    if (has_word(overrides, "no_header_body_checks"))
        flags &= ~filter;
    if (has_word(overrides, "no_milters"))
        flags &= ~milter;
    const std::string& classes = config.get(config::params::smtputf8_autodetect_classes);
    if (config.get(config::params::smtputf8_enable) && (has_word(classes, "sendmail") || has_word(classes, "all")))
        flags |= autodetect_utf8;
    return flags;
}

class Pickup final : public service::Server {
public:
    std::expected<void, std::string> after_jail(service::Process& process) override
    {
        using namespace config::params;
        const config::Config& config = process.config;
        loop_ = &process.loop;
        pool_ = &process.pool;
        settings_ = {config.get(myhostname), config.get(mail_name), config.get(content_filter), submit_flags(config),
                     std::chrono::duration_cast<std::chrono::hours>(config.get(maximal_queue_lifetime)).count() / 24};
        ids_.emplace(config.get(enable_long_queue_ids) ? queue::IdForm::long_form : queue::IdForm::short_form);
        spool_.emplace(config.get(hash_queue_names), static_cast<int>(config.get(hash_queue_depth)));
        cleanup_.emplace(process.loop, "public/" + config.get(cleanup_service_name));
        idle_.emplace(process.loop);
        return {};
    }

    [[nodiscard]] Kind kind() const override { return Kind::requests; }
    [[nodiscard]] service::Side side() const override { return service::Side::receiving; }
    [[nodiscard]] bool persistent() const override { return true; }

    void trigger(char) override
    {
        // A trigger during a scan means that the scan may have missed something.
        scan_again_ = true;
        if (!draining_)
            loop_->post([this] { scan(); });
    }

    void retire() override
    {
        draining_ = true;
        waiting_.clear();
    }

    event::Task<void> drain() override
    {
        while (!busy_.empty())
            co_await idle_->wait();
    }

private:
    void scan()
    {
        if (!std::exchange(scan_again_, false) || draining_)
            return;
        std::size_t found = 0;
        const auto scanned = spool_->scan(queue::kMaildrop, [this, &found](const std::string& id, const std::string&) {
            if (!busy_.contains(id) && !unfit_.contains(id) && std::ranges::find(waiting_, id) == waiting_.end()) {
                waiting_.push_back(id);
                ++found;
            }
            return waiting_.size() < kScanLimit;
        });
        if (!scanned)
            log::warning("{}", scanned.error().message());
        // The directory may hold more than one batch.
        scan_again_ = scan_again_ || waiting_.size() >= kScanLimit;
        start_more();
    }

    void start_more()
    {
        while (busy_.size() < kAtOnce && !waiting_.empty()) {
            const std::string id = std::move(waiting_.front());
            waiting_.pop_front();
            busy_.insert(id);
            event::spawn(one_file(id));
        }
        if (waiting_.empty() && busy_.empty() && scan_again_)
            loop_->post([this] { scan(); });
    }

    event::Task<void> one_file(std::string id)
    {
        const std::string path = spool_->path(queue::kMaildrop, id);
        auto message = DroppedMessage::open(path);
        if (!message) {
            put_aside(id, path, message.error());
        } else {
            const auto submitted = co_await submit(std::move(*message));
            if (!submitted)
                put_aside(id, path, submitted.error());
            else if (*submitted && ::unlink(path.c_str()) == 0)
                remember_removal(path);
            else if (*submitted && errno != ENOENT)
                log::warning("remove {}: {}", path, errno_text(errno));
        }
        busy_.erase(id);
        idle_->notify_all();
        if (!draining_)
            loop_->post([this] { start_more(); });
    }

    // A message that is in maildrop after a power failure is submitted again: its removal is flushed soon.
    void remember_removal(const std::string& path)
    {
        constexpr event::milliseconds kSoon{200};
        changed_directories_.insert(path.substr(0, path.rfind('/')));
        if (!flush_timer_ && !flushing_)
            flush_timer_ = loop_->call_at(loop_->now() + kSoon, [this] {
                flush_timer_.reset();
                event::spawn(flush_removals());
            });
    }

    event::Task<void> flush_removals()
    {
        flushing_ = true;
        while (!changed_directories_.empty()) {
            const auto directories = std::exchange(changed_directories_, {});
            const int code = co_await pool_->run([&directories] {
                for (const auto& path : directories)
                    if (const auto directory = open_file(path, O_RDONLY | O_DIRECTORY);
                        !directory || ::fsync(directory->get()) != 0)
                        return errno;
                return 0;
            });
            if (code != 0)
                log::warning("flush {}: {}", queue::kMaildrop, errno_text(code));
        }
        flushing_ = false;
    }

    // True when cleanup has the message; false: later again.
    event::Task<std::expected<bool, pickup::Refusal>> submit(DroppedMessage message)
    {
        auto piece = message.next_content();
        if (!piece)
            co_return std::unexpected(piece.error());
        auto following = message.next_content();
        if (!following)
            co_return std::unexpected(following.error());
        ipc::SubmitRequest request = make_request(message);
        request.set_last(following->empty());
        log_arrival(request, message);
        const std::string queue_id = request.queue_id();
        ipc::SubmitReply reply;
        auto cleanup = co_await cleanup_->lease(); // the pieces of a message reach one cleanup
        if (!cleanup) {
            log::warning("{}: error writing {}: {}", queue_id, cleanup_->socket_path(),
                         ipc::to_string(cleanup.error()));
            co_return false;
        }
        auto called = co_await (*cleanup)->call(ipc::Method::submit, request, reply, *piece);
        while (called && reply.status() == ipc::SUBMIT_OK && !following->empty()) {
            piece = std::move(following);
            following = message.next_content();
            ipc::SubmitChunk chunk;
            chunk.set_queue_id(queue_id);
            chunk.set_abort(!following.has_value());
            chunk.set_last(following.has_value() && following->empty());
            called = co_await (*cleanup)->call(ipc::Method::submit_chunk, chunk, reply, *piece);
            if (!following)
                co_return std::unexpected(following.error());
        }
        if (!called)
            log::warning("{}: error writing {}: {}", queue_id, cleanup_->socket_path(), ipc::to_string(called.error()));
        else if (reply.status() != ipc::SUBMIT_OK)
            log::warning("{}: {}", queue_id, reply.reason());
        co_return called&& reply.status() == ipc::SUBMIT_OK;
    }

    ipc::SubmitRequest make_request(DroppedMessage& message)
    {
        ipc::SubmitRequest request;
        request.set_queue_id(ids_->next());
        request.set_flags(settings_.flags);
        queue::Envelope& envelope = message.envelope();
        if (envelope.arrival_seconds() <= 0)
            envelope.set_arrival_seconds(message.modified());
        if (!settings_.content_filter.empty())
            envelope.set_content_filter(settings_.content_filter);
        envelope.set_message_class("local");
        request.set_prepend(fmt::format("Received: by {} ({}, from userid {})\r\n\tid {}; {}\r\n", settings_.myhostname,
                                        settings_.mail_name, message.owner(), request.queue_id(),
                                        mail::mail_date(envelope.arrival_seconds())));
        *request.mutable_envelope() = std::move(envelope);
        return request;
    }

    void log_arrival(const ipc::SubmitRequest& request, const DroppedMessage& message) const
    {
        log::info("{}: uid={} from=<{}>", request.queue_id(), message.owner(), request.envelope().sender());
        const long age = std::time(nullptr) - request.envelope().arrival_seconds();
        if (age < -kSecondsADay)
            log::warning("{}: message dated {} seconds into the future", request.queue_id(), -age);
        else if (age > settings_.maximal_queue_days * kSecondsADay)
            log::warning("{}: message has been queued for {} days", request.queue_id(), age / kSecondsADay);
    }

    // Nothing that one user drops keeps the mail of others waiting.
    void put_aside(const std::string& id, const std::string& path, const pickup::Refusal& refusal)
    {
        switch (refusal.why) {
        case Unfit::gone:
        case Unfit::unfinished:
            return;
        case Unfit::suspicious:
            break;
        case Unfit::corrupt:
            log::warning("{}: {} -- saved in {}", path, refusal.text, queue::kCorrupt);
            if (::rename(path.c_str(), spool_->path(queue::kCorrupt, id).c_str()) == 0)
                return;
            log::warning("rename {}: {}", path, errno_text(errno));
            unfit_.insert(id);
            return;
        }
        log::warning("{}", refusal.text);
        unfit_.insert(id);
    }

    event::Loop* loop_ = nullptr;
    event::WorkerPool* pool_ = nullptr;
    Settings settings_;
    std::optional<queue::IdSource> ids_;
    std::optional<queue::Spool> spool_;
    std::optional<ipc::Client> cleanup_;
    std::optional<event::Condition> idle_;
    std::deque<std::string> waiting_;
    std::set<std::string> busy_;
    std::set<std::string> unfit_; // warned about, not looked at again by this process
    std::set<std::string> changed_directories_;
    std::unique_ptr<event::Loop::Timer> flush_timer_;
    bool flushing_ = false;
    bool scan_again_ = false;
    bool draining_ = false;
};

} // namespace

int main(int argc, char** argv)
{
    return service::run(argc, argv, "pickup",
                        [] { return std::unique_ptr<service::Server>(std::make_unique<Pickup>()); });
}
