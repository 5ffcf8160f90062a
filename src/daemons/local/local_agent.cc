#include "daemons/local/local_agent.h"

#include "agent/local_form.h"
#include "base/log.h"
#include "base/text.h"
#include "daemons/local/expansion.h"
#include "mail/address.h"
#include "mail/date.h"
#include "mail/header.h"

#include <sys/stat.h>

#include <ctime>

namespace facteur::local {

namespace {

namespace params = config::params;

Settings read_settings(const config::Config& config)
{
    Settings out;
    out.hostname = config.get(params::myhostname);
    out.mail_name = config.get(params::mail_name);
    out.origin = config.get(params::myorigin);
    out.recipient_delimiter = config.get(params::recipient_delimiter);
    out.home_mailbox = config.get(params::home_mailbox);
    out.mail_spool_directory = config.get(params::mail_spool_directory);
    out.luser_relay = config.get(params::luser_relay);
    out.owner_request_special = config.get(params::owner_request_special);
    out.frozen_delivered_to = config.get(params::frozen_delivered_to);
    out.files_from_aliases = false;
    for (const std::string_view word : text::split_list(config.get(params::allow_mail_to_files)))
        out.files_from_aliases |= text::iequals(word, "alias");
    return out;
}

// As much of the content as its headers can be expected to take.
std::string read_headers(const agent::Delivery& delivery)
{
    constexpr std::uint64_t kEnough = 128 << 10;
    const queue::Content content = delivery.content();
    std::string headers;
    return content.read(0, std::min<std::uint64_t>(content.size, kEnough), headers) ? headers : std::string();
}

std::int64_t now_micros()
{
    return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

} // namespace

std::expected<void, std::string> LocalAgent::before_jail(service::Process& process)
{
    const config::Config& config = process.config;
    settings_ = read_settings(config);
    const auto nobody = service::find_account(config.get(params::default_privs));
    if (!nobody || nobody->uid == 0)
        return std::unexpected("parameter default_privs: unknown or privileged user name: " +
                               config.get(params::default_privs));
    settings_.default_owner = {nobody->uid, nobody->gid};
    aliases_ = table::Maps("alias_maps", config.get(params::alias_maps),
                           {.fold_keys = true, .allow_substitution = false}, config);
    return {};
}

std::expected<void, std::string> LocalAgent::after_jail(service::Process& process)
{
    const config::Config& config = process.config;
    auto rules = agent::mailbox_rules(config, params::mailbox_size_limit, params::mailbox_delivery_lock);
    if (!rules)
        return std::unexpected(rules.error());
    lookups_ = std::make_unique<event::WorkerPool>(process.loop, 1);
    writer_ = std::make_unique<agent::MailboxWriter>(process.loop, std::move(*rules), config);
    rewrite_ =
        std::make_unique<ipc::RewriteClient>(process.loop, "private/" + config.get(params::rewrite_service_name));
    cleanup_ = std::make_unique<ipc::Client>(process.loop, "public/" + config.get(params::cleanup_service_name));
    ids_.emplace(config.get(params::enable_long_queue_ids) ? queue::IdForm::long_form : queue::IdForm::short_form);
    return {};
}

bool delivered_before(std::string_view headers, std::string_view address)
{
    mail::HeaderScanner scanner(headers);
    while (const auto field = scanner.next())
        if (text::iequals(field->name, "Delivered-To") && text::iequals(text::trim(field->value), address))
            return true;
    return false;
}

event::Task<void> LocalAgent::deliver(agent::Delivery& delivery)
{
    for (int i = 0; i < delivery.recipient_count(); ++i)
        co_await deliver_one(delivery, i);
}

event::Task<void> LocalAgent::deliver_one(agent::Delivery& delivery, int index)
{
    const queue::Recipient& recipient = delivery.recipient(index);
    if (delivered_before(read_headers(delivery), mail::to_external(recipient.address()))) {
        co_await delivery.bounced(index, kRelay,
                                  agent::make_dsn("5.4.6", "mail forwarding loop for " + recipient.address()));
        co_return;
    }
    Expansion expansion(delivery, index);
    Step step;
    step.local = text::to_lower(mail::split_address(recipient.address()).local);
    step.recipient = recipient;
    step.sender = delivery.envelope().sender();
    Step first = step;
    co_await take(expansion, std::move(step));
    co_await forward(expansion);
    if (!expansion.any)
        co_await expansion.sent(first, "expanded to nobody");
    delivery.settle(index, expansion.total, expansion.last);
}

std::optional<service::Account> LocalAgent::find_user(const std::string& local) const
{
    // A name of digits only is a user id to find_account; as an address it is not a user.
    const auto by_name = [](const std::string& name) -> std::optional<service::Account> {
        auto account = service::find_account(name);
        if (account && account->name != name)
            return std::nullopt;
        return account;
    };
    if (auto account = by_name(local))
        return account;
    return by_name(
        std::string(mail::split_extension(local, settings_.recipient_delimiter, settings_.owner_request_special).user));
}

// Whose rights make files in the spool directory: the user's where everyone may, with its group where that may, else
// root's.
std::optional<agent::MailboxOwner> LocalAgent::spool_owner(const agent::MailboxOwner& user) const
{
    struct stat status{};
    if (::stat(settings_.mail_spool_directory.c_str(), &status) != 0 || (status.st_mode & S_IWOTH))
        return std::nullopt;
    if (status.st_mode & S_IWGRP)
        return agent::MailboxOwner{user.uid, status.st_gid};
    return agent::MailboxOwner{0, status.st_gid};
}

agent::MailboxMessage LocalAgent::message_for(const Expansion& expansion, const Step& step, bool mailbox_file) const
{
    const queue::Envelope& envelope = expansion.delivery.envelope();
    const queue::Recipient& first = expansion.delivery.recipient(expansion.index);
    agent::MailboxMessage message = agent::mailbox_message(expansion.delivery, expansion.index, "");
    message.head = mailbox_file ? agent::from_line(envelope.sender(), std::time(nullptr)) : "";
    message.head +=
        agent::delivery_headers(envelope.sender(), first.original().empty() ? first.address() : first.original(),
                                settings_.frozen_delivered_to ? first.address() : step.recipient.address());
    return message;
}

event::Task<void> LocalAgent::to_mailbox(Expansion& expansion, const Step& step, const service::Account& account)
{
    if (!expansion.done.insert("user " + account.name).second)
        co_return;
    const bool at_home = !settings_.home_mailbox.empty();
    std::string path = at_home ? account.home + "/" + settings_.home_mailbox
                       : settings_.mail_spool_directory.ends_with('/')
                           ? settings_.mail_spool_directory + account.name + "/"
                           : settings_.mail_spool_directory + "/" + account.name;
    const bool maildir = path.ends_with('/');
    if (expansion.delivery.request().flags() & ipc::deliver_flag::trace_verify) {
        co_await expansion.sent(step, maildir ? "delivers to maildir" : "delivers to mailbox");
        co_return;
    }
    const agent::MailboxOwner owner{account.uid, account.gid};
    agent::MailboxMessage message = message_for(expansion, step, !maildir);
    agent::MailboxResult written;
    if (maildir)
        written = co_await writer_->maildir(path, std::move(message), owner);
    else if (at_home)
        written = co_await writer_->append(path, std::move(message), owner);
    else
        written = co_await writer_->append(path, std::move(message), owner, spool_owner(owner));
    if (written) {
        co_await expansion.sent(step, maildir ? "delivered to maildir" : "delivered to mailbox");
        co_return;
    }
    const std::string before = maildir ? "maildir delivery failed: "
                                       : fmt::format("cannot update mailbox {} for user {}. ", path, account.name);
    co_await expansion.failed(step, agent::failure_dsn(before, written.error()));
}

event::Task<void> LocalAgent::to_file(Expansion& expansion, const Step& step, std::string path)
{
    if (!expansion.done.insert(path).second)
        co_return;
    if (!settings_.files_from_aliases) {
        co_await expansion.failed(step, agent::make_dsn("5.7.1", "mail to file is restricted"));
        co_return;
    }
    const bool maildir = path.ends_with('/');
    agent::MailboxMessage message = message_for(expansion, step, !maildir);
    agent::MailboxResult written;
    if (maildir)
        written = co_await writer_->maildir(path, std::move(message), settings_.default_owner);
    else
        written = co_await writer_->append(path, std::move(message), settings_.default_owner);
    if (written)
        co_await expansion.sent(step, "delivered to file: " + path);
    else
        co_await expansion.failed(
            step, agent::failure_dsn(fmt::format("cannot append message to file {}: ", path), written.error()));
}

// One new message for each envelope sender that the aliases asked for.
event::Task<void> LocalAgent::forward(Expansion& expansion)
{
    if (expansion.forwards.empty())
        co_return;
    const agent::Delivery& delivery = expansion.delivery;
    const queue::Recipient& first = delivery.recipient(expansion.index);
    const Step whole{.local = {}, .recipient = first, .from_alias = {}, .sender = {}};
    std::string content;
    const queue::Content source = delivery.content();
    const auto content_read = co_await writer_->pool().run([&] { return source.read(0, source.size, content); });
    for (const auto& [sender, forward] : expansion.forwards) {
        const std::int64_t now = now_micros();
        const std::string id = ids_->next();
        ipc::SubmitRequest submit;
        submit.set_queue_id(id);
        submit.set_flags(ipc::submit_flag::map | ipc::submit_flag::internal);
        submit.set_prepend(fmt::format("Received: by {} ({})\r\n\tid {}; {}\r\nDelivered-To: {}\r\n",
                                       settings_.hostname, settings_.mail_name, id, mail::mail_date(now / 1'000'000),
                                       mail::to_external(first.address())));
        submit.set_last(true);
        queue::Envelope& envelope = *submit.mutable_envelope();
        envelope = delivery.envelope();
        envelope.clear_recipients();
        envelope.set_sender(sender);
        envelope.set_arrival_seconds(now / 1'000'000);
        envelope.set_arrival_microseconds(static_cast<std::uint32_t>(now % 1'000'000));
        envelope.set_rewrite_context("local");
        envelope.set_message_class("forward");
        envelope.clear_warn_at_seconds();
        if (forward.owned) { // failures concern the list's owner, not who wrote to the list
            envelope.clear_dsn_envid();
            envelope.clear_dsn_ret();
        }
        for (const queue::Recipient& recipient : forward.recipients) {
            queue::Recipient& out = *envelope.add_recipients();
            out.set_address(recipient.address());
            if (forward.owned)
                continue;
            out.set_original(recipient.original());
            out.set_dsn_orcpt(first.dsn_orcpt());
            out.set_dsn_notify(first.dsn_notify() & ~ipc::notify::success);
        }
        ipc::SubmitReply reply;
        std::expected<void, ipc::IpcError> called = std::unexpected(ipc::IpcError::malformed);
        if (content_read)
            called = co_await cleanup_->call(ipc::Method::submit, submit, reply, content, ipc::Client::Repeat::never);
        if (called && reply.status() == ipc::SUBMIT_OK)
            co_await expansion.sent(whole, "forwarded as " + id);
        else
            co_await expansion.failed(whole, agent::make_dsn("4.3.0", "unable to forward message"));
    }
}

std::unique_ptr<agent::Agent> make_local_agent()
{
    return std::make_unique<LocalAgent>();
}

} // namespace facteur::local
