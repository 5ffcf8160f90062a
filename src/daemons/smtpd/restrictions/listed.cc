// Is an address listed among those its domain has? Source: ADDRESS_CLASS_README, LOCAL_RECIPIENT_README.
#include "base/log.h"
#include "base/text.h"
#include "daemons/smtpd/restrictions/families.h"
#include "daemons/smtpd/restrictions/judge.h"
#include "ipc/flags.h"
#include "smtp/reply.h"

namespace facteur::smtpd::listed {

namespace {

namespace flag = ipc::resolve_flag;

// What is known of an address: nothing when a table cannot tell.
event::Task<std::optional<bool>> known(Judge& judge, Lookup& table, const std::string& address)
{
    if (table.empty())
        co_return false;
    const auto found =
        co_await table.find_address(address, judge.settings().recipient_delimiter, judge.context().local_domain);
    if (!found) {
        log::warning("{} lookup error for {}: {}", table.title(), address, found.error().text);
        co_return std::nullopt;
    }
    co_return found->has_value();
}

// Mapped addresses are taken to exist: cleanup will find out where they lead.
event::Task<std::optional<bool>> mapped(Judge& judge, const std::string& address)
{
    AddressTables& tables = *judge.context().addresses;
    Lookup* const chain[] = {&tables.recipient_canonical,
                             judge.facts().sender == address ? &tables.sender_canonical : nullptr, &tables.canonical,
                             &tables.virtual_aliases};
    for (Lookup* const table : chain) {
        if (!table)
            continue;
        const std::optional<bool> found = co_await known(judge, *table, address);
        if (!found || *found)
            co_return found;
    }
    co_return false;
}

struct ClassTable {
    std::uint32_t flag;
    Lookup* table;
    long code;
    std::string_view title;
};

std::optional<ClassTable> table_of(Judge& judge, std::uint32_t flags)
{
    AddressTables& tables = *judge.context().addresses;
    const Settings& settings = judge.settings();
    const ClassTable classes[] = {
        {flag::local, &tables.local_recipients, settings.unknown_local_code, " in local recipient table"},
        {flag::virtual_mailbox, &tables.virtual_mailboxes, settings.unknown_mailbox_code, " in virtual mailbox table"},
        {flag::relay, &tables.relay_recipients, settings.unknown_relay_code, " in relay recipient table"},
    };
    for (const ClassTable& each : classes)
        if ((flags & each.flag) != 0)
            return each;
    return std::nullopt;
}

// Names that exist on every system, whatever the tables say.
bool always_local(Judge& judge, std::string_view recipient)
{
    const std::string_view local = recipient.substr(0, recipient.rfind('@'));
    return text::iequals(local, judge.settings().double_bounce_sender) || text::iequals(local, "postmaster") ||
           text::iequals(local, "mailer-daemon");
}

// The error and retry transports: their nexthop is the text to tell.
Verdict refuse_by_transport(Judge& judge, const ipc::ResolveReply& resolved, const std::string& address,
                            std::string_view class_name)
{
    const bool retry = resolved.transport() == "retry";
    const std::string fallback = fmt::format("{}.1.{}", retry ? 4 : 5, class_name == subject_class::sender ? 0 : 1);
    const auto [status, text] = smtp::split_enhanced_status(resolved.nexthop());
    long code = 550;
    if (retry)
        code = 450;
    else if ((resolved.flags() & flag::virtual_alias) != 0)
        code = judge.settings().unknown_alias_code;
    return judge.refuse(Judge::Fault::bounce, code, fit_status(status ? status->text() : fallback, class_name),
                        fmt::format("<{}>: {} rejected: {}", address, class_name, text));
}

} // namespace

event::Task<Verdict> check(Judge& judge, std::string address, std::string_view class_name)
{
    if (class_name == subject_class::sender) {
        judge.note_sender_checked();
        if (address.empty())
            co_return Verdict::dunno;
    } else {
        judge.note_recipient_checked();
    }
    const auto resolved = co_await judge.resolve(address);
    if (!resolved)
        co_return judge.lookup_failed(address);
    const std::optional<bool> is_mapped = co_await mapped(judge, address);
    if (!is_mapped)
        co_return judge.lookup_failed(address);
    if (*is_mapped)
        co_return Verdict::dunno;
    if (resolved->transport() == "error" || resolved->transport() == "retry")
        co_return refuse_by_transport(judge, *resolved, address, class_name);

    const auto table = table_of(judge, resolved->flags());
    if (!table || table->table->empty())
        co_return Verdict::dunno;
    if (table->flag == flag::local && always_local(judge, resolved->recipient()))
        co_return Verdict::dunno;
    const std::optional<bool> is_known = co_await known(judge, *table->table, resolved->recipient());
    if (!is_known)
        co_return judge.lookup_failed(address);
    if (*is_known)
        co_return Verdict::dunno;
    co_return judge.refuse(Judge::Fault::bounce, table->code, class_name == subject_class::sender ? "5.1.0" : "5.1.1",
                           fmt::format("<{}>: {} rejected: User unknown{}", address, class_name,
                                       judge.settings().show_table_name ? table->title : ""));
}

event::Task<Verdict> reject_unlisted_sender(Judge& judge, const Step&, const Subject&)
{
    if (!judge.facts().sender)
        co_return Verdict::dunno;
    const Verdict verdict = co_await check(judge, *judge.facts().sender, subject_class::sender);
    co_return verdict;
}

event::Task<Verdict> reject_unlisted_recipient(Judge& judge, const Step&, const Subject&)
{
    if (!judge.facts().recipient)
        co_return Verdict::dunno;
    const Verdict verdict = co_await check(judge, *judge.facts().recipient, subject_class::recipient);
    co_return verdict;
}

} // namespace facteur::smtpd::listed
