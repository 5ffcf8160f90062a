#include "agent/agent_server.h"

#include "base/log.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

namespace facteur::agent {

namespace {

// service::run wants a function without a closure.
std::unique_ptr<Agent> (*make_agent)() = nullptr;

std::unique_ptr<service::Server> make_server()
{
    return std::make_unique<AgentServer>(make_agent());
}

// Everything the request speaks of lies within the file.
bool covers(const struct stat& file, const ipc::DeliverRequest& request)
{
    const auto size = static_cast<std::uint64_t>(file.st_size);
    if (!S_ISREG(file.st_mode) || request.content_offset() > size ||
        request.content_size() > size - request.content_offset())
        return false;
    for (const auto& recipient : request.recipients())
        if (recipient.status_offset() >= size)
            return false;
    return true;
}

} // namespace

event::Task<void> Agent::drain()
{
    co_return;
}

std::expected<void, std::string> AgentServer::before_jail(service::Process& process)
{
    return agent_->before_jail(process);
}

std::expected<void, std::string> AgentServer::after_jail(service::Process& process)
{
    namespace params = config::params;
    process_ = &process;
    const config::Config& config = process.config;
    spool_.emplace(config.get(params::hash_queue_names), static_cast<int>(config.get(params::hash_queue_depth)));
    outcomes_.soft_bounce = config.get(params::soft_bounce);
    outcomes_.internal_addresses = config.get(params::info_log_address_format) == "internal";
    outcomes_.delay_decimals = static_cast<int>(config.get(params::delay_logging_resolution_limit));
    const auto client = [&](const std::string& service) {
        return std::make_unique<ipc::Client>(process.loop, "private/" + service);
    };
    bounce_ = client(config.get(params::bounce_service_name));
    defer_ = client(config.get(params::defer_service_name));
    trace_ = client(config.get(params::trace_service_name));
    return agent_->after_jail(process);
}

AgentServer::Opened AgentServer::open(Delivery& delivery, std::string& why)
{
    return delivery.request_.has_record() ? open_record_of(delivery, why) : open_file_of(delivery, why);
}

AgentServer::Opened AgentServer::open_record_of(Delivery& delivery, std::string& why)
{
    const ipc::DeliverRequest& request = delivery.request_;
    if (!agent_->needs_content())
        return Opened::ready;
    const auto& record = request.record();
    auto image = records_.read({record.segment(), record.offset(), record.size()}, delivery.queue_id());
    if (!image) {
        // It got its file meanwhile. When that is not there either, something is wrong with the record.
        const Opened opened = open_file_of(delivery, why);
        if (opened == Opened::removed)
            why = image.error().message();
        return opened == Opened::ready ? opened : Opened::unusable;
    }
    const std::size_t size = image->size();
    if (request.content_offset() > size || request.content_size() > size - request.content_offset()) {
        why = "corrupt journal record";
        return Opened::unusable;
    }
    delivery.image_ = std::make_shared<const std::string>(std::move(*image));
    return Opened::ready;
}

AgentServer::Opened AgentServer::open_file_of(Delivery& delivery, std::string& why) const
{
    const std::string path = spool_->path(delivery.request_.queue_name(), delivery.queue_id());
    auto file = open_file(path, O_RDWR);
    if (!file) {
        if (file.error().code == ENOENT)
            return Opened::removed;
        why = file.error().message();
        return Opened::unusable;
    }
    // Held until the delivery ends, so that a restarted queue manager sees that someone is still at it.
    if (::flock(file->get(), LOCK_SH | LOCK_NB) != 0) {
        why = SystemError::last("flock", path).message();
        return Opened::unusable;
    }
    struct stat status{};
    if (::fstat(file->get(), &status) != 0 || !covers(status, delivery.request_)) {
        why = "corrupt queue file " + path;
        return Opened::unusable;
    }
    delivery.file_ = std::move(*file);
    return Opened::ready;
}

event::Task<void> AgentServer::run(Delivery& delivery)
{
    std::string why;
    const Opened opened = open(delivery, why);
    if (opened == Opened::removed) {
        // Neither delivered nor deferred: the queue manager looks where an administrator put the file.
        log::debug("{}: no longer in the queue: nothing to deliver", delivery.queue_id());
        co_return;
    }
    if (opened == Opened::ready)
        co_await agent_->deliver(delivery);
    else
        log::warning("{}: {}", delivery.queue_id(), why);
    for (int i = 0; i < delivery.recipient_count(); ++i)
        if (!delivery.settled(i))
            co_await delivery.deferred(i, "none", make_dsn("4.3.0", "mail system error"));
}

event::Task<void> AgentServer::request(ipc::Request request, std::shared_ptr<ipc::Channel> from)
{
    ipc::DeliverRequest deliver;
    if (request.method != ipc::Method::deliver || !request.parse(deliver) ||
        !queue::valid_queue_id(deliver.queue_id())) {
        from->answer_refused(request);
        co_return;
    }
    Delivery delivery(*this, std::move(deliver));
    const bool fileless = delivery.request_.has_record();
    if (fileless) {
        fileless_.emplace(&delivery, Fileless{&delivery, from, process_->loop.now()});
        watch();
    }
    co_await run(delivery);
    delivery.file_.reset(); // unlocked before qmgr may move or remove the file
    from->answer(request, delivery.reply_);
    if (fileless) {
        answered(fileless_.at(&delivery));
        fileless_.erase(&delivery);
    }
}

// --- messages without a file ---

namespace {

constexpr event::milliseconds kLook{250};
constexpr std::chrono::milliseconds kFileAppears{1000}; // qmgr makes it about then
constexpr std::chrono::seconds kRemember{3};

} // namespace

void AgentServer::watch()
{
    if (!look_timer_)
        look_timer_ = process_->loop.call_at(process_->loop.now() + kLook, [this] {
            look_timer_.reset();
            look();
            if (!fileless_.empty() || !answered_.empty())
                watch();
        });
}

// Messages that stay get a file: it is locked, as of all others. Of those whose queue manager is gone a log is kept.
void AgentServer::look()
{
    const auto now = process_->loop.now();
    for (auto& [delivery, fileless] : fileless_)
        look_at(fileless);
    for (const auto& each : answered_) {
        const auto channel = each.channel.lock();
        if (!channel || !channel->open())
            for (const auto number : each.done)
                log_done(each.queue_id, number);
    }
    std::erase_if(answered_, [now](const Answered& each) {
        const auto channel = each.channel.lock();
        return !channel || !channel->open() || now - each.when > kRemember;
    });
    if (std::ranges::none_of(fileless_, [](const auto& each) { return each.second.taken; }))
        outcome_log_.reset();
}

void AgentServer::look_at(Fileless& fileless)
{
    Delivery& delivery = *fileless.delivery;
    const bool alone = !fileless.channel->open();
    if (delivery.file_ || (!alone && process_->loop.now() - fileless.begun < kFileAppears))
        return;
    auto file = open_file(spool_->path(delivery.request_.queue_name(), delivery.queue_id()), O_RDWR);
    if (!file) // a queue manager that left moved it
        if (const auto queue = spool_->find(delivery.queue_id()))
            file = open_file(spool_->path(*queue, delivery.queue_id()), O_RDWR);
    struct stat status{};
    if (file && ::fstat(file->get(), &status) == 0 && covers(status, delivery.request_) &&
        delivery.adopt_file(std::move(*file))) {
        delivery.image_.reset();
        return;
    }
    if (!alone || fileless.taken)
        return;
    if (auto* const log = outcome_log()) {
        log->taken(delivery.queue_id());
        fileless.taken = true;
    }
}

// The answer went out, to a queue manager that may be gone before it reads it.
void AgentServer::answered(const Fileless& fileless)
{
    const Delivery& delivery = *fileless.delivery;
    if (fileless.channel->open() && !fileless.taken) {
        answered_.push_back({process_->loop.now(),
                             fileless.channel,
                             std::string(delivery.queue_id()),
                             {delivery.reply_.delivered().begin(), delivery.reply_.delivered().end()}});
        return;
    }
    for (const auto number : delivery.reply_.delivered())
        log_done(delivery.queue_id(), number);
}

void AgentServer::log_done(std::string_view queue_id, std::uint32_t number)
{
    if (auto* const log = outcome_log())
        log->done(queue_id, number);
}

queue::OutcomeLog* AgentServer::outcome_log()
{
    if (!outcome_log_) {
        auto opened = queue::OutcomeLog::open();
        if (!opened) {
            log::warning("{}", opened.error().message());
            return nullptr;
        }
        outcome_log_.emplace(std::move(*opened));
    }
    return &*outcome_log_;
}

event::Task<void> AgentServer::drain()
{
    co_await agent_->drain();
}

int run_agent(int argc, char** argv, std::string_view program, std::unique_ptr<Agent> (*make)())
{
    make_agent = make;
    return service::run(argc, argv, program, make_server);
}

} // namespace facteur::agent
