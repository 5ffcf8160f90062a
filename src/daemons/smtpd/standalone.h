// `sendmail -bs`: one session on standard input and output, run by an ordinary user. The queue is out of such a user's
// reach, so mail goes the way of every local submission, through sendmail(1).
#pragma once

#include "base/fd.h"
#include "daemons/smtpd/services.h"
#include "service/service.h"

#include <thread>

namespace facteur::smtpd {

class StandaloneServices : public Services {
public:
    explicit StandaloneServices(service::Process& process);

    event::Task<std::expected<std::string, ipc::IpcError>> rewrite(std::string context, std::string address) override;
    event::Task<std::expected<ipc::ResolveReply, ipc::IpcError>> resolve(std::string sender,
                                                                         std::string address) override;
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
    service::Process& process_;
    std::string sendmail_;
    ipc::SubmitRequest pending_; // a large message, gathered here
    std::string content_;
};

// Standard input and output as one socket, whatever they are. The destructor waits until all output is written.
class StandardStreams {
public:
    StandardStreams();
    ~StandardStreams();
    StandardStreams(const StandardStreams&) = delete;
    StandardStreams& operator=(const StandardStreams&) = delete;
    UniqueFd take_socket() { return std::move(ours_); }

private:
    UniqueFd ours_;
    UniqueFd theirs_;
    std::thread output_;
};

} // namespace facteur::smtpd
