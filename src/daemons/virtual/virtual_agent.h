// virtual: mailboxes of users who need no account. Tables say where each recipient's mailbox is and whom it belongs
// to; a result that ends in '/' is a Maildir. Source: virtual(8).
#pragma once

#include "agent/mailbox_writer.h"
#include "table/maps.h"

#include <memory>

namespace facteur::virtual_agent {

class VirtualAgent final : public agent::Agent {
public:
    std::expected<void, std::string> before_jail(service::Process& process) override;
    std::expected<void, std::string> after_jail(service::Process& process) override;
    event::Task<void> deliver(agent::Delivery& delivery) override;

private:
    struct Mailbox {
        std::string path;
        agent::MailboxOwner owner;
    };
    // An unknown user, a broken table and an impossible owner are outcomes, not errors of ours.
    struct Refusal {
        std::string status;
        std::string reason;
    };
    [[nodiscard]] std::expected<Mailbox, Refusal> find_mailbox(const std::string& recipient);
    [[nodiscard]] table::LookupResult look_up(table::Maps& maps, const std::string& user) const;
    [[nodiscard]] std::expected<long, Refusal> owner_id(table::Maps& maps, const std::string& user,
                                                        std::string_view kind, long at_least) const;
    event::Task<void> deliver_one(agent::Delivery& delivery, int index);
    void restart_when_tables_changed();

    table::Maps mailbox_maps_;
    table::Maps uid_maps_;
    table::Maps gid_maps_;
    std::string mailbox_base_;
    std::string recipient_delimiter_;
    long minimum_uid_ = 100;
    bool tables_block_ = false;
    event::Loop* loop_ = nullptr;
    event::Clock::time_point tables_checked_;
    std::unique_ptr<event::WorkerPool> lookups_; // one thread: a table serves one caller at a time
    std::unique_ptr<agent::MailboxWriter> writer_;
};

std::unique_ptr<agent::Agent> make_virtual_agent();

} // namespace facteur::virtual_agent
