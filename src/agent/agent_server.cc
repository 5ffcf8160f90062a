#include "agent/agent_server.h"

#include "base/log.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

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

AgentServer::Opened AgentServer::open(Delivery& delivery, std::string& why) const
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
    co_await run(delivery);
    delivery.file_.reset(); // unlocked before qmgr may move or remove the file
    from->answer(request, delivery.reply_);
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
