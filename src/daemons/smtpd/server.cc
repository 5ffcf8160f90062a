#include "daemons/smtpd/server.h"

#include "base/log.h"
#include "daemons/smtpd/daemon_services.h"
#include "daemons/smtpd/session.h"
#include "daemons/smtpd/standalone.h"

#include <unistd.h>

#include <csignal>

namespace facteur::smtpd {

std::expected<void, std::string> SmtpServer::before_jail(service::Process& process)
{
    process_ = &process;
    if (process.standalone && DryRun::is_wanted(process.arguments)) {
        auto dry_run = DryRun::open(process);
        if (!dry_run)
            return std::unexpected(dry_run.error());
        dry_run_ = std::move(*dry_run);
    }
    auto context = Context::open(process.config, process.loop, process.pool);
    if (!context)
        return std::unexpected(context.error());
    context_ = std::move(*context);
    context_->standalone = process.standalone;
    context_->service_name = process.service_name;
    return prepare_for_stress(process);
}

std::expected<void, std::string> SmtpServer::prepare_for_stress(service::Process& process)
{
    // master says "stress=" to services that adapt, and "stress=yes" to a worker that has to from its first session.
    const bool adapts = process.config.explicit_text("stress").has_value() && !process.stress;
    if (!adapts || process.standalone || process.process_limit <= 0)
        return {};
    auto config = process.config.with({{"stress", "yes"}});
    if (!config)
        return std::unexpected(config.error().message());
    stressed_config_.emplace(std::move(*config));
    auto context = Context::open(*stressed_config_, process.loop, process.pool);
    if (!context)
        return std::unexpected(context.error());
    stressed_ = std::move(*context);
    stressed_->service_name = process.service_name;
    stressed_->ids = context_->ids;
    return {};
}

Context& SmtpServer::context_of_next_session()
{
    constexpr std::chrono::seconds kLasting{1000}; // as long as master hands stress=yes to new workers
    if (!stressed_)
        return *context_;
    if (sessions_ >= process_->places())
        stressed_until_ = process_->loop.now() + kLasting;
    return process_->loop.now() < stressed_until_ ? *stressed_ : *context_;
}

std::expected<void, std::string> SmtpServer::after_jail(service::Process& process)
{
    if (dry_run_)
        services_ = dry_run_->make_services(process);
    else if (process.standalone)
        services_ = std::make_unique<StandaloneServices>(process);
    else
        services_ = std::make_unique<DaemonServices>(process);
    context_->services = services_.get();
    if (stressed_)
        stressed_->services = services_.get();
    if (!process.standalone)
        watch_tables();
    return {};
}

// A jailed process cannot open a replaced table: it lets its sessions end, and master starts one that can.
void SmtpServer::watch_tables()
{
    constexpr std::chrono::seconds kInterval{1};
    table_check_ = process_->loop.call_at(event::Clock::now() + kInterval, [this] {
        if (context_->tables_changed() || (stressed_ && stressed_->tables_changed())) {
            log::info("a table has changed -- restarting");
            ::kill(::getpid(), SIGHUP);
            return;
        }
        watch_tables();
    });
}

event::Task<void> SmtpServer::connection(net::Accepted accepted)
{
    if (dry_run_) {
        co_await dry_run_->run(*context_);
        co_return;
    }
    std::unique_ptr<StandardStreams> standard;
    if (context_->standalone) {
        standard = std::make_unique<StandardStreams>();
        accepted.fd = standard->take_socket();
    }
    Client client = co_await services_->identify(accepted.peer);
    auto stream = std::make_unique<net::Stream>(context_->loop, std::move(accepted.fd));
    if (!context_->standalone) {
        const net::SocketAddress own = stream->local();
        client.server_address = own.ip();
        client.server_port = std::to_string(own.port());
    }
    // The session is on the heap: its frame and the skeleton's stay small together.
    ++sessions_;
    auto session = std::make_unique<Session>(context_of_next_session(), std::move(stream), std::move(client));
    co_await session->run();
    --sessions_;
}

std::unique_ptr<service::Server> make_server()
{
    return std::make_unique<SmtpServer>();
}

} // namespace facteur::smtpd
