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
    return {};
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
    if (!process.standalone)
        watch_tables();
    return {};
}

// A jailed process cannot open a replaced table: it lets its sessions end, and master starts one that can.
void SmtpServer::watch_tables()
{
    constexpr std::chrono::seconds kInterval{1};
    table_check_ = process_->loop.call_at(event::Clock::now() + kInterval, [this] {
        if (context_->tables_changed()) {
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
    auto session = std::make_unique<Session>(*context_, std::move(stream), std::move(client));
    co_await session->run();
}

std::unique_ptr<service::Server> make_server()
{
    return std::make_unique<SmtpServer>();
}

} // namespace facteur::smtpd
