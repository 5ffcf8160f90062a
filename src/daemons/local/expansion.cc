#include "daemons/local/expansion.h"

#include "agent/thread_identity.h"
#include "base/log.h"
#include "base/text.h"
#include "mail/address.h"

#include <sys/stat.h>

#include <cerrno>

namespace facteur::local {

namespace {

// A loop of aliases is known by its depth, because a name may rightly appear more than once.
constexpr int kDeepest = 99;

std::expected<std::string, std::string> read_include(const std::string& path, agent::MailboxOwner owner)
{
    constexpr std::size_t kLimit = 64 << 20;
    const agent::ThreadIdentity identity(owner.uid, owner.gid);
    if (!path.starts_with('/'))
        return std::unexpected(fmt::format(":include:{} uses a relative path", path));
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0)
        return std::unexpected(fmt::format("unable to lookup :include: file {}: {}", path, errno_text(errno)));
    if (!S_ISREG(status.st_mode))
        return std::unexpected(fmt::format(":include: file {} is not a regular file", path));
    if (status.st_mode & S_IWOTH)
        return std::unexpected(fmt::format(":include: file {} is world writable", path));
    auto text = read_file(path, kLimit);
    if (!text)
        return std::unexpected(fmt::format("cannot open include file {}: {}", path, errno_text(text.error().code)));
    return std::move(*text);
}

} // namespace

event::Task<void> LocalAgent::Expansion::sent(const Step& step, std::string_view reason)
{
    const ipc::Dsn dsn = agent::make_dsn("2.0.0", reason);
    const agent::Delivery::Target target{index, step.recipient};
    const Result result = co_await delivery.report_sent(target, kRelay, dsn);
    add(result, dsn);
}

event::Task<void> LocalAgent::Expansion::failed(const Step& step, ipc::Dsn dsn)
{
    const agent::Delivery::Target target{index, step.recipient};
    Result result;
    if (dsn.status()[0] == '4')
        result = co_await delivery.report_deferred(target, kRelay, dsn);
    else
        result = co_await delivery.report_bounced(target, kRelay, dsn);
    add(result, dsn);
}

event::Task<table::LookupResult> LocalAgent::find_alias(std::string name)
{
    table::LookupResult found;
    if (aliases_.blocking())
        found = co_await lookups_->run([&] { return aliases_.find(name); });
    else
        found = aliases_.find(name);
    co_return found;
}

// True when the name is an alias (or the table cannot say), and what it stands for has been taken care of.
event::Task<bool> LocalAgent::take_alias(Expansion& expansion, const Step& step)
{
    // An alias that names itself means the user of that name.
    if (aliases_.empty() || step.from_alias == step.local)
        co_return false;
    const std::string user(
        mail::split_extension(step.local, settings_.recipient_delimiter, settings_.owner_request_special).user);
    std::string name = step.local;
    table::LookupResult found = co_await find_alias(name);
    if (found && !*found && user != name && step.from_alias != user) {
        name = user;
        found = co_await find_alias(name);
    }
    if (!found) {
        log::warning("{}: {}", expansion.delivery.queue_id(), found.error().text);
        co_await expansion.failed(step, agent::make_dsn("4.3.0", "alias database unavailable"));
        co_return true;
    }
    if (!*found)
        co_return false;
    if (expansion.delivery.request().flags() & ipc::deliver_flag::trace_verify) {
        co_await expansion.sent(step, "aliased to " + **found);
        co_return true;
    }
    Step below = step;
    below.from_alias = name;
    const table::LookupResult owner = co_await find_alias("owner-" + name);
    if (owner && *owner) {
        below.sender = fmt::format("owner-{}@{}", name, settings_.origin);
        below.owned = true;
    }
    co_await take_destinations(expansion, below, parse_destinations(**found));
    co_return true;
}

event::Task<void> LocalAgent::take_destinations(Expansion& expansion, const Step& step,
                                                std::vector<Destination> destinations)
{
    for (Destination& destination : destinations)
        co_await take_destination(expansion, step, std::move(destination));
}

event::Task<void> LocalAgent::take_destination(Expansion& expansion, const Step& step, Destination destination)
{
    switch (destination.kind) {
    case Destination::Kind::address:
        co_await take_address(expansion, step, std::move(destination.text));
        co_return;
    case Destination::Kind::file:
        co_await to_file(expansion, step, std::move(destination.text));
        co_return;
    case Destination::Kind::command:
        co_await expansion.failed(
            step, agent::make_dsn("4.3.0", "delivery to a command is not available: |" + destination.text));
        co_return;
    case Destination::Kind::include:
        break;
    }
    if (step.depth >= kDeepest) {
        co_await expansion.failed(step, agent::make_dsn("5.4.6", "alias database loop for " + step.local));
        co_return;
    }
    const auto text =
        co_await writer_->pool().run([&] { return read_include(destination.text, settings_.default_owner); });
    if (!text) {
        co_await expansion.failed(step, agent::make_dsn("5.2.4", text.error()));
        co_return;
    }
    Step below = step;
    ++below.depth;
    co_await take_destinations(expansion, below, parse_include(*text));
}

event::Task<void> LocalAgent::take_address(Expansion& expansion, const Step& step, std::string address)
{
    const auto complete = co_await rewrite_->rewrite("local", std::move(address));
    if (!complete) {
        co_await expansion.failed(step, agent::make_dsn("4.3.0", "address resolver failure"));
        co_return;
    }
    const auto resolved = co_await rewrite_->resolve(step.sender, *complete);
    if (!resolved || (resolved->flags() & ipc::resolve_flag::failed)) {
        co_await expansion.failed(step, agent::make_dsn("4.3.0", "address resolver failure"));
        co_return;
    }
    Step below = step;
    ++below.depth;
    const queue::Recipient& first = expansion.delivery.recipient(expansion.index);
    below.recipient.set_address(resolved->recipient());
    below.recipient.set_original(first.original().empty() ? first.address() : first.original());
    const bool here = (resolved->flags() & ipc::resolve_flag::local) && resolved->transport() == kRelay;
    if (here) {
        below.local = text::to_lower(mail::split_address(resolved->recipient()).local);
        co_await take(expansion, std::move(below));
        co_return;
    }
    if (!expansion.done.insert(text::to_lower(resolved->recipient())).second)
        co_return;
    Expansion::Forward& forward = expansion.forwards[step.sender];
    forward.owned = step.owned;
    forward.recipients.push_back(below.recipient);
}

event::Task<void> LocalAgent::take(Expansion& expansion, Step step)
{
    if (step.depth >= kDeepest) {
        log::warning("alias database loop for {}", step.local);
        co_await expansion.failed(step, agent::make_dsn("5.4.6", "alias database loop for " + step.local));
        co_return;
    }
    const bool was_alias = co_await take_alias(expansion, step);
    if (was_alias)
        co_return;
    const auto account = find_user(step.local);
    if (account)
        co_await to_mailbox(expansion, step, *account);
    else
        co_await take_unknown(expansion, step);
}

event::Task<void> LocalAgent::take_unknown(Expansion& expansion, const Step& step)
{
    if (!settings_.luser_relay.empty() && step.from_alias != "luser_relay") {
        Step relayed = step;
        relayed.from_alias = "luser_relay";
        std::string address = settings_.luser_relay;
        for (const auto& [name, value] : {std::pair<std::string_view, std::string_view>{"$user", step.local},
                                          {"$local", step.local},
                                          {"$recipient", step.recipient.address()}})
            for (auto at = address.find(name); at != address.npos; at = address.find(name, at + value.size()))
                address.replace(at, name.size(), value);
        co_await take_destinations(expansion, relayed, parse_destinations(address));
        co_return;
    }
    // Every system answers for these two names.
    if (step.local == "postmaster" || step.local == "mailer-daemon") {
        log::warning("required alias not found: {}", step.local);
        co_await expansion.sent(step, "discarded");
        co_return;
    }
    co_await expansion.failed(step, agent::make_dsn("5.1.1", fmt::format("unknown user: \"{}\"", step.local)));
}

} // namespace facteur::local
