#include "daemons/virtual/virtual_agent.h"

#include "agent/local_form.h"
#include "base/log.h"
#include "base/text.h"

#include <unistd.h>

#include <csignal>
#include <ctime>

namespace facteur::virtual_agent {

namespace {

namespace params = config::params;
constexpr std::string_view kRelay = "virtual";
constexpr std::string_view kMisconfigured = "mail system configuration error";

event::Task<void> refuse(agent::Delivery& delivery, int index, ipc::Dsn dsn)
{
    if (dsn.status()[0] == '4')
        co_await delivery.deferred(index, kRelay, std::move(dsn));
    else
        co_await delivery.bounced(index, kRelay, std::move(dsn));
}

} // namespace

std::expected<void, std::string> VirtualAgent::before_jail(service::Process& process)
{
    const config::Config& config = process.config;
    mailbox_base_ = config.get(params::virtual_mailbox_base);
    if (!mailbox_base_.empty() && !mailbox_base_.starts_with('/'))
        return std::unexpected("do not specify relative pathname: virtual_mailbox_base = " + mailbox_base_);
    // Results decide whose file is written: no text of the recipient's may get into them.
    const table::TableOptions options{.fold_keys = true, .allow_substitution = false};
    mailbox_maps_ = table::Maps("virtual_mailbox_maps", config.get(params::virtual_mailbox_maps), options, config);
    uid_maps_ = table::Maps("virtual_uid_maps", config.get(params::virtual_uid_maps), options, config);
    gid_maps_ = table::Maps("virtual_gid_maps", config.get(params::virtual_gid_maps), options, config);
    tables_block_ = mailbox_maps_.blocking() || uid_maps_.blocking() || gid_maps_.blocking();
    recipient_delimiter_ = config.get(params::recipient_delimiter);
    minimum_uid_ = config.get(params::virtual_minimum_uid);
    return {};
}

std::expected<void, std::string> VirtualAgent::after_jail(service::Process& process)
{
    auto rules = agent::mailbox_rules(process.config, params::virtual_mailbox_limit, params::virtual_mailbox_lock);
    if (!rules)
        return std::unexpected(rules.error());
    loop_ = &process.loop;
    lookups_ = std::make_unique<event::WorkerPool>(process.loop, 1);
    writer_ = std::make_unique<agent::MailboxWriter>(process.loop, std::move(*rules), process.config);
    return {};
}

table::LookupResult VirtualAgent::look_up(table::Maps& maps, const std::string& user) const
{
    const auto never_local = [](std::string_view) { return false; };
    return maps.find_address(user, recipient_delimiter_, never_local);
}

std::expected<long, VirtualAgent::Refusal> VirtualAgent::owner_id(table::Maps& maps, const std::string& user,
                                                                  std::string_view kind, long at_least) const
{
    const auto found = look_up(maps, user);
    if (!found)
        log::warning("recipient {}: {}", user, found.error().text);
    else if (!*found)
        log::warning("recipient {}: not found in virtual_{}_maps", user, kind);
    else if (const auto id = text::to_long(**found); id && *id >= at_least)
        return *id;
    else
        log::warning("recipient {}: bad {} {} in virtual_{}_maps", user, kind, **found, kind);
    return std::unexpected(Refusal{"4.3.5", std::string(kMisconfigured)});
}

std::expected<VirtualAgent::Mailbox, VirtualAgent::Refusal> VirtualAgent::find_mailbox(const std::string& recipient)
{
    const std::string user = text::to_lower(recipient);
    const auto found = look_up(mailbox_maps_, user);
    if (!found) {
        log::warning("recipient {}: {}", user, found.error().text);
        return std::unexpected(Refusal{"4.3.5", std::string(kMisconfigured)});
    }
    if (!*found)
        return std::unexpected(Refusal{"5.1.1", fmt::format("unknown user: \"{}\"", user)});
    const auto uid = owner_id(uid_maps_, user, "uid", minimum_uid_);
    if (!uid)
        return std::unexpected(uid.error());
    const auto gid = owner_id(gid_maps_, user, "gid", 1);
    if (!gid)
        return std::unexpected(gid.error());
    Mailbox mailbox;
    mailbox.path = mailbox_base_.empty() ? **found : mailbox_base_ + "/" + **found;
    mailbox.owner = {static_cast<uid_t>(*uid), static_cast<gid_t>(*gid)};
    return mailbox;
}

event::Task<void> VirtualAgent::deliver_one(agent::Delivery& delivery, int index)
{
    const std::string& recipient = delivery.recipient(index).address();
    std::expected<Mailbox, Refusal> mailbox;
    if (tables_block_)
        mailbox = co_await lookups_->run([&] { return find_mailbox(recipient); });
    else
        mailbox = find_mailbox(recipient);
    if (!mailbox) {
        co_await refuse(delivery, index, agent::make_dsn(mailbox.error().status, mailbox.error().reason));
        co_return;
    }
    const bool maildir = mailbox->path.ends_with('/');
    const std::string_view form = maildir ? "maildir" : "mailbox";
    if (delivery.request().flags() & ipc::deliver_flag::trace_verify) {
        co_await delivery.sent(index, kRelay, agent::make_dsn("2.0.0", fmt::format("delivers to {}", form)));
        co_return;
    }
    agent::MailboxResult written;
    if (maildir) {
        written = co_await writer_->maildir(mailbox->path, agent::mailbox_message(delivery, index, ""), mailbox->owner);
    } else {
        const std::string from = agent::from_line(delivery.envelope().sender(), std::time(nullptr));
        written =
            co_await writer_->append(mailbox->path, agent::mailbox_message(delivery, index, from), mailbox->owner);
    }
    if (written) {
        co_await delivery.sent(index, kRelay, agent::make_dsn("2.0.0", fmt::format("delivered to {}", form)));
        co_return;
    }
    const std::string before =
        maildir ? "maildir delivery failed: " : fmt::format("delivery failed to mailbox {}: ", mailbox->path);
    co_await refuse(delivery, index, agent::failure_dsn(before, written.error()));
}

event::Task<void> VirtualAgent::deliver(agent::Delivery& delivery)
{
    restart_when_tables_changed();
    for (int i = 0; i < delivery.recipient_count(); ++i)
        co_await deliver_one(delivery, i);
}

// A replaced table file is seen by a new process: this one finishes what it has and ends.
void VirtualAgent::restart_when_tables_changed()
{
    if (loop_->now() - tables_checked_ < std::chrono::seconds(1))
        return;
    tables_checked_ = loop_->now();
    if (!mailbox_maps_.changed() && !uid_maps_.changed() && !gid_maps_.changed())
        return;
    log::info("table has changed -- restarting");
    ::kill(::getpid(), SIGHUP);
}

std::unique_ptr<agent::Agent> make_virtual_agent()
{
    return std::make_unique<VirtualAgent>();
}

} // namespace facteur::virtual_agent
