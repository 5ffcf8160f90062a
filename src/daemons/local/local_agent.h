// local: mail for users of this system. A name is an alias, or a user with a mailbox, or unknown. Source: local(8).
//
// An alias is expanded here, to any depth. What it comes to is delivered at once where it is a mailbox or a file of
// this system, and gathered into one new message where it is an address elsewhere.
#pragma once

#include "agent/mailbox_writer.h"
#include "daemons/local/destination.h"
#include "ipc/rewrite_client.h"
#include "queue/queue_id.h"
#include "service/privileges.h"
#include "table/maps.h"

#include <memory>
#include <optional>
#include <set>

namespace facteur::local {

struct Settings {
    std::string hostname;
    std::string mail_name;
    std::string origin;
    std::string recipient_delimiter;
    std::string home_mailbox;
    std::string mail_spool_directory;
    std::string luser_relay;
    bool owner_request_special = true;
    bool frozen_delivered_to = true;
    bool files_from_aliases = true;    // allow_mail_to_files
    agent::MailboxOwner default_owner; // default_privs
};

class LocalAgent final : public agent::Agent {
public:
    std::expected<void, std::string> before_jail(service::Process& process) override;
    std::expected<void, std::string> after_jail(service::Process& process) override;
    event::Task<void> deliver(agent::Delivery& delivery) override;

private:
    struct Expansion; // of one recipient
    // One address on the way, and how it came about.
    struct Step {
        std::string local;          // name as it is looked up, lower case
        queue::Recipient recipient; // as reported
        std::string from_alias;     // the alias that named it; empty at the start
        std::string sender;         // of what is forwarded: the message's, or the list owner's
        bool owned = false;         // the sender is a list owner
        int depth = 0;
    };

    event::Task<void> deliver_one(agent::Delivery& delivery, int index);
    event::Task<void> take(Expansion& expansion, Step step);
    event::Task<bool> take_alias(Expansion& expansion, const Step& step);
    event::Task<void> take_destinations(Expansion& expansion, const Step& step, std::vector<Destination> destinations);
    event::Task<void> take_destination(Expansion& expansion, const Step& step, Destination destination);
    event::Task<void> take_address(Expansion& expansion, const Step& step, std::string address);
    event::Task<void> take_unknown(Expansion& expansion, const Step& step);
    event::Task<void> to_mailbox(Expansion& expansion, const Step& step, const service::Account& account);
    event::Task<void> to_file(Expansion& expansion, const Step& step, std::string path);
    event::Task<void> forward(Expansion& expansion);
    event::Task<table::LookupResult> find_alias(std::string name);
    [[nodiscard]] std::optional<service::Account> find_user(const std::string& local) const;
    [[nodiscard]] std::optional<agent::MailboxOwner> spool_owner(const agent::MailboxOwner& user) const;
    [[nodiscard]] agent::MailboxMessage message_for(const Expansion& expansion, const Step& step,
                                                    bool mailbox_file) const;

    Settings settings_;
    table::Maps aliases_;
    std::unique_ptr<event::WorkerPool> lookups_;
    std::unique_ptr<agent::MailboxWriter> writer_;
    std::unique_ptr<ipc::RewriteClient> rewrite_;
    std::unique_ptr<ipc::Client> cleanup_;
    std::optional<queue::IdSource> ids_;
};

// True when the headers have Delivered-To: with that address: the message was here before.
bool delivered_before(std::string_view headers, std::string_view address);

std::unique_ptr<agent::Agent> make_local_agent();

} // namespace facteur::local
