#include "daemons/bounce/bounce_server.h"

#include "base/log.h"
#include "base/text.h"
#include "daemons/bounce/subject.h"
#include "ipc/flags.h"
#include "mail/verp.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

namespace facteur::bounce {

namespace {

namespace params = config::params;

Settings read_settings(const config::Config& config)
{
    Settings out;
    out.reporter = {.hostname = config.get(params::myhostname),
                    .mail_name = config.get(params::mail_name),
                    .origin = config.get(params::myorigin),
                    .utf8 = config.get(params::smtputf8_enable),
                    .queue_lifetime =
                        std::chrono::duration_cast<std::chrono::seconds>(config.get(params::maximal_queue_lifetime))};
    for (const std::string_view word : text::split_list(config.get(params::notify_classes))) {
        out.notify.bounce |= text::iequals(word, "bounce");
        out.notify.double_bounce |= text::iequals(word, "2bounce");
        out.notify.delay |= text::iequals(word, "delay");
    }
    out.bounce_recipient = config.get(params::bounce_notice_recipient);
    out.double_bounce_recipient = config.get(params::n2bounce_notice_recipient);
    out.delay_recipient = config.get(params::delay_notice_recipient);
    out.double_bounce_sender = config.get(params::double_bounce_sender);
    if (out.double_bounce_sender.find('@') == out.double_bounce_sender.npos)
        out.double_bounce_sender += "@" + out.reporter.hostname;
    out.reporter.threaded = config.get(params::enable_threaded_bounces);
    out.size_limit = static_cast<std::uint64_t>(std::max(config.get(params::bounce_size_limit), 0L));
    out.submit_flags = ipc::submit_flag::map | ipc::submit_flag::internal;
    for (const std::string_view word : text::split_list(config.get(params::internal_mail_filter_classes)))
        if (text::iequals(word, "bounce"))
            out.submit_flags |= ipc::submit_flag::filter | ipc::submit_flag::milter;
    return out;
}

// Whom DSN NOTIFY lets us tell. Without NOTIFY the sender learns of failures and delays.
using Entries = std::vector<const ipc::LogRecipient*>;

Entries who_wants(const Subject& subject, std::uint32_t notify_bit)
{
    Entries out;
    for (const ipc::LogRecipient& entry : subject.logged) {
        const std::uint32_t notify = entry.recipient().dsn_notify();
        if (notify == 0 ? notify_bit != ipc::notify::success : (notify & notify_bit) != 0)
            out.push_back(&entry);
    }
    return out;
}

Entries everyone(const Subject& subject)
{
    Entries out;
    for (const ipc::LogRecipient& entry : subject.logged)
        out.push_back(&entry);
    return out;
}

// A file and the directory entry that names it.
std::expected<void, SystemError> flush_to_disk(const std::string& path)
{
    for (const std::string& one : {path, path.substr(0, path.rfind('/'))}) {
        const auto file = open_file(one, O_RDONLY);
        if (!file)
            return std::unexpected(file.error());
        if (::fsync(file->get()) != 0)
            return std::unexpected(SystemError::last("fsync", one));
    }
    return {};
}

} // namespace

std::expected<void, std::string> BounceServer::before_jail(service::Process& process)
{
    const config::Config& config = process.config;
    if (const std::string& file = config.get(params::bounce_template_file); !file.empty()) {
        const auto text = read_file(file);
        if (!text)
            return std::unexpected(text.error().message());
        for (const std::string& problem : templates_.read(*text, file))
            log::warning("{}", problem);
    }
    config_ = &config;
    return {};
}

const std::string& BounceServer::words(NoticeKind kind)
{
    auto& text = texts_[static_cast<std::size_t>(kind)];
    if (!text) {
        std::vector<std::string> warnings;
        text = templates_.expand(kind, *config_, warnings);
        for (const std::string& warning : warnings)
            log::warning("{}", warning);
    }
    return *text;
}

std::expected<void, std::string> BounceServer::after_jail(service::Process& process)
{
    const config::Config& config = process.config;
    settings_ = read_settings(config);
    pool_ = &process.pool;
    spool_.emplace(config.get(params::hash_queue_names), static_cast<int>(config.get(params::hash_queue_depth)));
    ids_.emplace(config.get(params::enable_long_queue_ids) ? queue::IdForm::long_form : queue::IdForm::short_form);
    cleanup_ = std::make_unique<ipc::Client>(process.loop, "public/" + config.get(params::cleanup_service_name));
    service_queue_ = process.service_name == config.get(params::defer_service_name)   ? queue::kDefer
                     : process.service_name == config.get(params::trace_service_name) ? queue::kTrace
                                                                                      : queue::kBounce;
    return {};
}

event::Task<void> BounceServer::request(ipc::Request request, std::shared_ptr<ipc::Channel> from)
{
    ipc::BounceReply reply;
    if (request.method == ipc::Method::bounce_append) {
        ipc::BounceAppend append_request;
        if (request.parse(append_request) && queue::valid_queue_id(append_request.queue_id())) {
            const bool ok = co_await append(append_request);
            reply.set_ok(ok);
            from->answer(request, reply);
            co_return;
        }
    } else if (request.method == ipc::Method::bounce_flush) {
        ipc::BounceFlush flush_request;
        if (request.parse(flush_request) && queue::valid_queue_id(flush_request.queue_id())) {
            const bool ok = co_await flush(std::move(flush_request));
            reply.set_ok(ok);
            from->answer(request, reply);
            co_return;
        }
    }
    from->answer_refused(request);
}

// The agent marks the recipient done once this is answered: from then on the record is all that remembers it, so it
// must be on disk. A deferral's record is a comment on a recipient that stays in the queue.
event::Task<bool> BounceServer::append(const ipc::BounceAppend& append)
{
    const std::string path = spool_->path(service_queue_, append.queue_id());
    const auto written = agent::append_to_log(path, append.entry());
    if (!written) {
        log::warning("{}: {}", append.queue_id(), written.error().message());
        co_return false;
    }
    if (service_queue_ == queue::kDefer)
        co_return true;
    const auto flushed = co_await pool_->run([&path] { return flush_to_disk(path); });
    if (!flushed)
        log::warning("{}: {}", append.queue_id(), flushed.error().message());
    co_return flushed.has_value();
}

event::Task<bool> BounceServer::flush(ipc::BounceFlush flush)
{
    const ipc::BounceFlush::Kind kind = flush.kind();
    const bool logged = kind != ipc::BounceFlush::ONE;
    Subject subject(std::move(flush), *spool_);
    if (const auto loaded = subject.load(logged ? std::optional<std::string_view>(service_queue_) : std::nullopt);
        !loaded) {
        log::warning("{}: {}", subject.id(), loaded.error().message());
        co_return false;
    }
    // Reasons of deferrals pile up over attempts; only recipients that are still waiting count.
    if (service_queue_ == queue::kDefer)
        subject.forget_settled();
    bool ok = true;
    switch (kind) {
    case ipc::BounceFlush::WARN:
        ok = co_await notify_delay(subject);
        break;
    case ipc::BounceFlush::TRACE:
        ok = co_await notify_trace(subject);
        break;
    case ipc::BounceFlush::VERP:
        ok = co_await notify_failure_singly(subject);
        break;
    default:
        ok = co_await notify_failure(subject);
        break;
    }
    // A message that is late is still being tried: its reasons stay.
    if (ok && logged && kind != ipc::BounceFlush::WARN)
        if (const auto removed = spool_->remove(service_queue_, subject.id());
            !removed && removed.error().code != ENOENT)
            log::warning("{}: {}", subject.id(), removed.error().message());
    co_return ok;
}

event::Task<bool> BounceServer::notify_failure(Subject& subject)
{
    if (text::iequals(subject.sender(), settings_.double_bounce_sender)) {
        log::warning("{}: undeliverable postmaster notification discarded", subject.id());
        co_return true;
    }
    if (subject.sender().empty()) {
        Entries all = everyone(subject);
        if (!settings_.notify.double_bounce || all.empty())
            co_return true;
        Addressing who{settings_.double_bounce_sender, settings_.double_bounce_recipient, Audience::postmaster};
        const auto id = co_await post(subject, NoticeKind::failure, std::move(who), std::move(all), Attach::full);
        if (id)
            log::info("{}: postmaster non-delivery notification: {}", subject.id(), *id);
        co_return id.has_value();
    }
    Entries wanting = who_wants(subject, ipc::notify::failure);
    if (!wanting.empty()) {
        Addressing who{"", subject.sender(), Audience::sender};
        const auto id = co_await post(subject, NoticeKind::failure, std::move(who), std::move(wanting),
                                      wanted(subject, Attach::full));
        if (!id)
            co_return false;
        log::info("{}: sender non-delivery notification: {}", subject.id(), *id);
    }
    if (settings_.notify.bounce)
        co_await copy_to_postmaster(subject, NoticeKind::failure, settings_.bounce_recipient, "non-delivery");
    co_return true;
}

// One notice a recipient, to an address that names the recipient. Source: VERP_README.
event::Task<bool> BounceServer::notify_failure_singly(Subject& subject)
{
    if (subject.sender().empty() || text::iequals(subject.sender(), settings_.double_bounce_sender)) {
        const bool ok = co_await notify_failure(subject);
        co_return ok;
    }
    for (const ipc::LogRecipient* entry : who_wants(subject, ipc::notify::failure)) {
        const std::string to = mail::verp_address(subject.sender(), entry->recipient().address(),
                                                  subject.request.envelope().verp_delimiters());
        Addressing who{"", to, Audience::sender};
        Entries one{entry};
        const auto id =
            co_await post(subject, NoticeKind::failure, std::move(who), std::move(one), wanted(subject, Attach::full));
        if (!id)
            co_return false;
        log::info("{}: sender non-delivery notification: {}", subject.id(), *id);
    }
    if (settings_.notify.bounce)
        co_await copy_to_postmaster(subject, NoticeKind::failure, settings_.bounce_recipient, "non-delivery");
    co_return true;
}

event::Task<bool> BounceServer::notify_delay(Subject& subject)
{
    const bool nobody = subject.sender().empty() || text::iequals(subject.sender(), settings_.double_bounce_sender);
    Entries wanting = who_wants(subject, ipc::notify::delay);
    if (!nobody && !wanting.empty()) {
        Addressing who{"", subject.sender(), Audience::sender};
        const auto id = co_await post(subject, NoticeKind::delay, std::move(who), std::move(wanting),
                                      wanted(subject, Attach::headers));
        if (!id)
            co_return false;
        log::info("{}: sender delay notification: {}", subject.id(), *id);
    }
    if (!nobody && settings_.notify.delay)
        co_await copy_to_postmaster(subject, NoticeKind::delay, settings_.delay_recipient, "delay");
    co_return true;
}

event::Task<bool> BounceServer::notify_trace(Subject& subject)
{
    if (text::iequals(subject.sender(), settings_.double_bounce_sender)) {
        log::info("{}: not sending trace/success notification for double-bounce message", subject.id());
        co_return true;
    }
    if (subject.sender().empty()) {
        log::info("{}: not sending trace/success notification for single-bounce message", subject.id());
        co_return true;
    }
    constexpr std::uint32_t kAsked = ipc::deliver_flag::trace_verify | ipc::deliver_flag::trace_record;
    const bool asked = ((subject.request.flags() | subject.request.envelope().trace_flags()) & kAsked) != 0;
    // The sender was warned of a delay and wants to know that it is over (confirm_delay_cleared).
    const bool cleared = (subject.request.flags() & ipc::deliver_flag::delay_cleared) != 0;
    Entries wanting = asked || cleared ? everyone(subject) : who_wants(subject, ipc::notify::success);
    if (wanting.empty())
        co_return true;
    Addressing who{"", subject.sender(), Audience::sender};
    const NoticeKind kind = asked ? NoticeKind::verify : NoticeKind::success;
    const auto id = co_await post(subject, kind, std::move(who), std::move(wanting), Attach::headers);
    if (id)
        log::info("{}: sender delivery status notification: {}", subject.id(), *id);
    co_return id.has_value();
}

// Not worth repeating the sender's notice for: a failure is only logged.
event::Task<void> BounceServer::copy_to_postmaster(Subject& subject, NoticeKind kind, std::string to,
                                                   std::string_view word)
{
    Entries all = everyone(subject);
    if (all.empty())
        co_return;
    Addressing who{settings_.double_bounce_sender, std::move(to), Audience::postmaster};
    const auto id = co_await post(subject, kind, std::move(who), std::move(all), Attach::headers);
    if (id)
        log::info("{}: postmaster {} notification: {}", subject.id(), word, *id);
    else
        log::warning("{}: postmaster notice failed while {} {}", subject.id(),
                     kind == NoticeKind::delay ? "warning" : "bouncing to", subject.sender());
}

Attach BounceServer::wanted(const Subject& subject, Attach otherwise) const
{
    switch (subject.request.envelope().dsn_ret()) {
    case ipc::ret::full:
        return Attach::full;
    case ipc::ret::headers:
        return Attach::headers;
    default:
        return otherwise;
    }
}

event::Task<std::optional<std::string>> BounceServer::post(Subject& subject, NoticeKind kind, Addressing who,
                                                           Entries recipients, Attach attach)
{
    if (settings_.size_limit > 0 && subject.request.content_size() > settings_.size_limit)
        attach = Attach::headers;
    const auto original = subject.original(attach);
    const queue::Envelope& envelope = subject.request.envelope();
    Notice notice{.kind = kind,
                  .audience = who.audience,
                  .to = who.to,
                  .queue_id = subject.id(),
                  .envelope = envelope,
                  .recipients = std::move(recipients),
                  .original = original ? std::string_view(*original) : std::string_view{},
                  .original_available = original.has_value(),
                  .attach = attach,
                  .words = templates_.get(kind),
                  .text = words(kind),
                  .now = std::time(nullptr)};
    const std::string content = render_notice(notice, settings_.reporter);

    const std::string id = ids_->next();
    ipc::SubmitRequest submit;
    submit.set_queue_id(id);
    submit.set_flags(settings_.submit_flags);
    submit.set_prepend(render_received(settings_.reporter, id, notice.now));
    submit.set_last(true);
    queue::Envelope& out = *submit.mutable_envelope();
    const auto now =
        std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
            .count();
    out.set_sender(who.sender);
    out.set_arrival_seconds(now / 1'000'000);
    out.set_arrival_microseconds(static_cast<std::uint32_t>(now % 1'000'000));
    out.set_rewrite_context("local");
    out.set_internal(true);
    out.set_message_class("bounce");
    out.set_smtputf8(envelope.smtputf8() & ipc::smtputf8::requested);
    if (settings_.reporter.utf8)
        out.set_encoding("8bit");
    out.add_recipients()->set_address(who.to);

    // Not repeated when the answer is lost: qmgr asks again later, and a notice too many is worse than a late one.
    ipc::SubmitReply reply;
    const auto called =
        co_await cleanup_->call(ipc::Method::submit, submit, reply, content, ipc::Client::Repeat::never);
    if (!called || reply.status() != ipc::SUBMIT_OK) {
        log::warning("{}: cannot queue a notice to {}: {}", subject.id(), who.to,
                     called ? reply.reason() : std::string(ipc::to_string(called.error())));
        co_return std::nullopt;
    }
    co_return id;
}

std::unique_ptr<service::Server> make_bounce_server()
{
    return std::make_unique<BounceServer>();
}

} // namespace facteur::bounce
