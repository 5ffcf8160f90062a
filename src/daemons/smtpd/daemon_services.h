// The services as the other daemons give them.
#pragma once

#include "daemons/smtpd/peer_names.h"
#include "daemons/smtpd/services.h"
#include "ipc/client.h"
#include "service/service.h"

#include <string>
#include <unordered_map>

namespace facteur::smtpd {

class DaemonServices final : public Services {
public:
    explicit DaemonServices(service::Process& process);

    event::Task<std::expected<std::string, ipc::IpcError>> rewrite(std::string context, std::string address) override;
    event::Task<std::expected<ipc::ResolveReply, ipc::IpcError>> resolve(std::string sender,
                                                                         std::string address) override;
    void will_resolve(std::string sender, std::string address) override;
    event::Task<std::expected<ipc::SubmitReply, ipc::IpcError>> submit(const ipc::SubmitRequest& request,
                                                                       Content content) override;
    event::Task<std::expected<ipc::SubmitReply, ipc::IpcError>> submit_chunk(const ipc::SubmitChunk& chunk,
                                                                             Content content) override;
    event::Task<ipc::FlushReply::Status> flush_site(std::string site) override;
    event::Task<std::optional<ipc::AnvilReply>> count(ipc::AnvilRequest::Operation operation,
                                                      std::string address) override;
    event::Task<void> disconnected(std::string address) override;
    event::Task<Client> identify(net::SocketAddress peer) override;

private:
    std::string service_name_;
    ipc::RewriteClient rewrite_;
    ipc::Client cleanup_;
    std::unordered_map<std::string, ipc::Client::Lease> parts_; // by queue id: messages sent in several parts
    ipc::Client flush_;
    ipc::Client anvil_;
    PeerNames names_;
};

} // namespace facteur::smtpd
