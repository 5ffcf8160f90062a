// What a session asks of the rest of the mail system. One implementation talks to the daemons, one pipes mail through
// sendmail for `sendmail -bs`, and tests bring their own.
#pragma once

#include "daemons/smtpd/client.h"
#include "event/task.h"
#include "ipc/messages.pb.h"
#include "ipc/rewrite_client.h"
#include "net/address.h"

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace facteur::smtpd {

class Services {
public:
    virtual ~Services() = default;

    virtual event::Task<std::expected<std::string, ipc::IpcError>> rewrite(std::string context,
                                                                           std::string address) = 0;
    virtual event::Task<std::expected<ipc::ResolveReply, ipc::IpcError>> resolve(std::string sender,
                                                                                 std::string address) = 0;
    // resolve() will soon be asked this. A service that answers from afar can begin now.
    virtual void will_resolve(std::string /* sender */, std::string /* address */) {}

    // Mail for cleanup.
    using Content = std::shared_ptr<const std::string>; // null: none
    virtual event::Task<std::expected<ipc::SubmitReply, ipc::IpcError>> submit(const ipc::SubmitRequest& request,
                                                                               Content content) = 0;
    virtual event::Task<std::expected<ipc::SubmitReply, ipc::IpcError>> submit_chunk(const ipc::SubmitChunk& chunk,
                                                                                     Content content) = 0;

    virtual event::Task<ipc::FlushReply::Status> flush_site(std::string site) = 0;

    // Counts the event and tells the rates; nothing when anvil does not answer (then no limit applies).
    virtual event::Task<std::optional<ipc::AnvilReply>> count(ipc::AnvilRequest::Operation operation,
                                                              std::string address) = 0;
    virtual event::Task<void> disconnected(std::string address) = 0;

    virtual event::Task<Client> identify(net::SocketAddress peer) = 0;
};

} // namespace facteur::smtpd
