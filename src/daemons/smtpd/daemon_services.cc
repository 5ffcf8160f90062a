#include "daemons/smtpd/daemon_services.h"

#include "base/log.h"

namespace facteur::smtpd {

namespace {

namespace params = config::params;

constexpr event::milliseconds kAnvilTimeout{10'000}; // counting must not hold up mail for long

ipc::AnvilRequest anvil_request(ipc::AnvilRequest::Operation operation, const std::string& service,
                                const std::string& address)
{
    ipc::AnvilRequest request;
    request.set_operation(operation);
    request.set_service(service);
    request.set_client_address(address);
    return request;
}

} // namespace

DaemonServices::DaemonServices(service::Process& process)
    : service_name_(process.service_name),
      rewrite_(process.loop, "private/" + process.config.get(params::rewrite_service_name)),
      cleanup_(process.loop, "public/" + process.config.get(params::cleanup_service_name)),
      flush_(process.loop, "public/" + process.config.get(params::flush_service_name)),
      anvil_(process.loop, "private/anvil"),
      names_(process.loop, process.pool, process.config.get(params::smtpd_peername_lookup))
{
}

event::Task<std::expected<std::string, ipc::IpcError>> DaemonServices::rewrite(std::string context, std::string address)
{
    auto answer = co_await rewrite_.rewrite(std::move(context), std::move(address));
    co_return std::move(answer);
}

event::Task<std::expected<ipc::ResolveReply, ipc::IpcError>> DaemonServices::resolve(std::string sender,
                                                                                     std::string address)
{
    auto answer = co_await rewrite_.resolve(std::move(sender), std::move(address));
    co_return std::move(answer);
}

namespace {

event::Task<void> ask_early(ipc::RewriteClient& rewrite, std::string sender, std::string address)
{
    (void)co_await rewrite.resolve(std::move(sender), std::move(address)); // whoever needs the answer asks again
}

} // namespace

void DaemonServices::will_resolve(std::string sender, std::string address)
{
    event::spawn(ask_early(rewrite_, std::move(sender), std::move(address)));
}

event::Task<std::expected<ipc::SubmitReply, ipc::IpcError>> DaemonServices::submit(const ipc::SubmitRequest& request,
                                                                                   Content content)
{
    // A whole message may be sent again when cleanup goes away: the queue id makes it the same message. Its first part
    // may not, since the parts that follow have to reach the process that has it.
    ipc::SubmitReply reply;
    if (request.last()) {
        const auto called = co_await cleanup_.call(ipc::Method::submit, request, reply, std::move(content));
        if (!called)
            co_return std::unexpected(called.error());
        co_return std::move(reply);
    }
    auto lease = co_await cleanup_.lease();
    if (!lease)
        co_return std::unexpected(lease.error());
    const auto called = co_await (*lease)->call(ipc::Method::submit, request, reply, std::move(content));
    if (!called)
        co_return std::unexpected(called.error());
    if (reply.status() == ipc::SUBMIT_OK)
        parts_.emplace(request.queue_id(), std::move(*lease));
    co_return std::move(reply);
}

event::Task<std::expected<ipc::SubmitReply, ipc::IpcError>> DaemonServices::submit_chunk(const ipc::SubmitChunk& chunk,
                                                                                         Content content)
{
    const auto found = parts_.find(chunk.queue_id());
    if (found == parts_.end())
        co_return std::unexpected(ipc::IpcError::lost);
    ipc::SubmitReply reply;
    const auto called = co_await found->second->call(ipc::Method::submit_chunk, chunk, reply, std::move(content));
    if (!called || chunk.last() || chunk.abort())
        parts_.erase(chunk.queue_id());
    if (!called)
        co_return std::unexpected(called.error());
    co_return std::move(reply);
}

event::Task<ipc::FlushReply::Status> DaemonServices::flush_site(std::string site)
{
    ipc::FlushRequest request;
    request.set_operation(ipc::FlushRequest::SEND_SITE);
    request.set_site(std::move(site));
    ipc::FlushReply reply;
    const auto called = co_await flush_.call(ipc::Method::flush, request, reply);
    co_return called ? reply.status() : ipc::FlushReply::FAIL;
}

event::Task<std::optional<ipc::AnvilReply>> DaemonServices::count(ipc::AnvilRequest::Operation operation,
                                                                  std::string address)
{
    const ipc::AnvilRequest request = anvil_request(operation, service_name_, address);
    ipc::AnvilReply reply;
    const auto called =
        co_await anvil_.call(ipc::Method::anvil, request, reply, {}, ipc::Client::Repeat::never, kAnvilTimeout);
    if (!called) {
        log::warning("problem talking to service private/anvil: {}", ipc::to_string(called.error()));
        co_return std::nullopt;
    }
    co_return std::move(reply);
}

event::Task<void> DaemonServices::disconnected(std::string address)
{
    const ipc::AnvilRequest request = anvil_request(ipc::AnvilRequest::DISCONNECT, service_name_, address);
    const bool sent = co_await anvil_.send_one_way(ipc::Method::anvil, request);
    if (!sent)
        log::warning("problem talking to service private/anvil: cannot send");
}

event::Task<Client> DaemonServices::identify(net::SocketAddress peer)
{
    Client client = co_await names_.identify(peer);
    co_return std::move(client);
}

} // namespace facteur::smtpd
