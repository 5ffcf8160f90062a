// check_*_access: which keys a name, address or mail address has in an access(5) table, and what the results mean.
#include "base/log.h"
#include "base/text.h"
#include "daemons/smtpd/restrictions/families.h"
#include "daemons/smtpd/restrictions/judge.h"
#include "ipc/flags.h"
#include "mail/address.h"
#include "mail/header.h"
#include "smtp/command.h"
#include "smtp/reply.h"

#include <array>

namespace facteur::smtpd {

std::string fit_status(std::string_view status, std::string_view class_name)
{
    struct Mapping {
        std::string_view from, sender, recipient;
    };
    // Of subject 1, each detail is about one of the two parties.
    static constexpr Mapping kMappings[] = {
        {".1.1", ".1.7", ".1.1"}, {".1.2", ".1.8", ".1.2"}, {".1.3", ".1.7", ".1.3"}, {".1.4", ".1.7", ".1.4"},
        {".1.5", ".1.0", ".1.5"}, {".1.6", ".1.7", ".1.6"}, {".1.7", ".1.7", ".1.3"}, {".1.8", ".1.8", ".1.2"},
    };
    std::string fitted(status);
    const bool sender = class_name == subject_class::sender;
    if (!sender && class_name != subject_class::recipient)
        return fitted;
    for (const Mapping& mapping : kMappings)
        if (fitted.substr(1) == mapping.from)
            fitted = fitted.substr(0, 1) + std::string(sender ? mapping.sender : mapping.recipient);
    if (fitted != status)
        log::info("mapping DSN status {} into {} status {}", status, class_name, fitted);
    return fitted;
}

namespace access {

namespace {

using Patterns = table::Maps::Patterns;
constexpr std::string_view kTableTrouble = "451 4.3.5 Server configuration error";

// One table being asked for one request.
struct Query {
    Judge& judge;
    const Step& step;
    const Subject& subject;
    std::string key = {}; // the one that was found, for messages
};

std::string about(const Query& query, std::string_view what)
{
    return fmt::format("<{}>: {} {}", query.subject.name, query.subject.class_name, what);
}

// What an action's text says: an enhanced status of its own, then words.
struct StatusText {
    std::string status;
    std::string text;
};
StatusText split_status(const Query& query, std::string_view fallback, std::string_view text,
                        std::string_view otherwise)
{
    const auto [status, rest] = smtp::split_enhanced_status(text);
    return {fit_status(status ? status->text() : std::string(fallback), query.subject.class_name),
            std::string(rest.empty() ? otherwise : rest)};
}

Verdict refuse(const Query& query, long code, std::string_view fallback, std::string_view text)
{
    const auto [status, words] = split_status(query, fallback, text, "Access denied");
    return query.judge.refuse(Judge::Fault::policy, code, status, about(query, "rejected: " + words));
}

Verdict act_reject(Query& query, std::string_view text)
{
    return refuse(query, query.judge.settings().access_reject_code, "5.7.1", text);
}
Verdict act_defer(Query& query, std::string_view text)
{
    return refuse(query, query.judge.settings().access_defer_code, "4.7.1", text);
}

Verdict act_defer_if_permit(Query& query, std::string_view text)
{
    const auto [status, words] = split_status(query, "4.7.1", text, "Service unavailable");
    return query.judge.doubt_if_permit(query.judge.settings().access_defer_code, status,
                                       about(query, "rejected: " + words));
}

Verdict act_defer_if_reject(Query& query, std::string_view text)
{
    const auto [status, words] = split_status(query, "4.7.1", text, "Service unavailable");
    return query.judge.doubt_if_reject(query.judge.settings().access_defer_code, status,
                                       about(query, "rejected: " + words));
}

void log_trigger(Query& query, std::string_view action, std::string_view text, std::string_view otherwise)
{
    query.judge.log_action(action, about(query, text.empty() ? otherwise : text));
}

Verdict act_discard(Query& query, std::string_view text)
{
    log_trigger(query, "discard", text, "triggers DISCARD action");
    Actions& actions = query.judge.facts().actions;
    actions.submit_flags |= ipc::submit_flag::discard;
    actions.discard = true;
    return Verdict::ok;
}

Verdict act_hold(Query& query, std::string_view text)
{
    Actions& actions = query.judge.facts().actions;
    if ((actions.submit_flags & ipc::submit_flag::hold) == 0) // one line a message
        log_trigger(query, "hold", text, "triggers HOLD action");
    actions.submit_flags |= ipc::submit_flag::hold;
    return Verdict::dunno;
}

Verdict complain(const Query& query, std::string_view wants)
{
    log::warning("access table {} entry \"{}\" requires {}", query.step.argument, query.key, wants);
    return Verdict::dunno;
}

Verdict act_filter(Query& query, std::string_view text)
{
    if (text.find(':') == text.npos)
        return complain(query, "transport:destination");
    query.judge.log_action("filter", about(query, fmt::format("triggers FILTER {}", text)));
    query.judge.facts().actions.filter = text;
    return Verdict::dunno;
}

Verdict act_redirect(Query& query, std::string_view text)
{
    if (text.find('@') == text.npos)
        return complain(query, "user@domain target");
    query.judge.log_action("redirect", about(query, fmt::format("triggers REDIRECT {}", text)));
    query.judge.facts().actions.redirect = text;
    return Verdict::dunno;
}

Verdict act_bcc(Query& query, std::string_view text)
{
    if (text.find('@') == text.npos)
        return complain(query, "user@domain target");
    query.judge.log_action("bcc", about(query, fmt::format("triggers BCC {}", text)));
    query.judge.facts().actions.bcc.emplace_back(text);
    return Verdict::dunno;
}

Verdict act_prepend(Query& query, std::string_view text)
{
    if (mail::header_name_length(text) == 0)
        return complain(query, "header: text");
    query.judge.facts().actions.prepend.emplace_back(text);
    return Verdict::dunno;
}

Verdict act_warn(Query& query, std::string_view text)
{
    query.judge.log_action("warn", text);
    return Verdict::dunno;
}

Verdict act_info(Query& query, std::string_view text)
{
    query.judge.log_action("info", text);
    return Verdict::dunno;
}

Verdict act_dunno(Query&, std::string_view)
{
    return Verdict::dunno;
}
Verdict act_ok(Query& query, std::string_view)
{
    return query.judge.permit(query.step.name, query.step.argument, query.subject);
}

struct Action {
    std::string_view name;
    Verdict (*act)(Query& query, std::string_view text);
};
constexpr auto kActions = std::to_array<Action>({
    {"OK", act_ok},
    {"RELAY", act_ok},
    {"DUNNO", act_dunno},
    {"REJECT", act_reject},
    {"DEFER", act_defer},
    {"DEFER_IF_PERMIT", act_defer_if_permit},
    {"DEFER_IF_REJECT", act_defer_if_reject},
    {"DISCARD", act_discard},
    {"HOLD", act_hold},
    {"FILTER", act_filter},
    {"REDIRECT", act_redirect},
    {"BCC", act_bcc},
    {"PREPEND", act_prepend},
    {"WARN", act_warn},
    {"INFO", act_info},
});

event::Task<Verdict> act_on(Query& query, std::string value)
{
    const auto space = value.find_first_of(" \t");
    const std::string_view command = std::string_view(value).substr(0, space);
    const std::string_view text =
        space == value.npos ? std::string_view{} : text::trim(std::string_view(value).substr(space));
    for (const Action& action : kActions)
        if (text::iequals(command, action.name))
            co_return action.act(query, text);
    if (smtp::all_digits(value))
        co_return act_ok(query, {}); // time stamps of pop-before-smtp programs
    if (command.size() == 3 && smtp::all_digits(command) && (command[0] == '4' || command[0] == '5') && !text.empty())
        co_return refuse(query, *text::to_long(command), command[0] == '4' ? "4.7.1" : "5.7.1", text);
    if (text::trim(value).empty()) {
        log::warning("access table {} entry {} has empty value", query.step.argument, query.key);
        co_return Verdict::ok;
    }
    const Verdict verdict = co_await query.judge.apply_text(value, query.subject, query.step.name);
    co_return verdict;
}

// Nothing when the table does not hold the key.
event::Task<std::optional<Verdict>> act_on_found(Query& query, std::string key, Lookup::Result found)
{
    if (found && !*found)
        co_return std::nullopt;
    query.key = std::move(key);
    if (!found)
        log::warning("{}: table lookup problem: {}", query.step.argument, found.error().text);
    std::string value = found ? **found : std::string(kTableTrouble);
    const Verdict verdict = co_await act_on(query, std::move(value));
    co_return verdict;
}

event::Task<std::optional<Verdict>> try_key(Query& query, std::string key, Patterns patterns)
{
    Lookup::Result found = co_await query.step.table->find(key, patterns);
    std::optional<Verdict> verdict = co_await act_on_found(query, std::move(key), std::move(found));
    co_return verdict;
}

event::Task<std::optional<Verdict>> try_domain(Query& query, std::string domain)
{
    Lookup::Result found = co_await query.step.table->find_domain(domain, query.judge.context().access_parents);
    std::optional<Verdict> verdict = co_await act_on_found(query, std::move(domain), std::move(found));
    co_return verdict;
}

// 192.0.2.7, 192.0.2, 192.0, 192; an IPv6 address is cut at its colons.
event::Task<std::optional<Verdict>> try_address(Query& query, std::string address)
{
    const char separator = address.find(':') == address.npos ? '.' : ':';
    Patterns patterns = Patterns::use;
    for (std::string key = address;; patterns = Patterns::skip) {
        const std::optional<Verdict> verdict = co_await try_key(query, key, patterns);
        if (verdict)
            co_return verdict;
        const auto cut = key.rfind(separator);
        if (cut == key.npos || cut == 0)
            co_return std::nullopt;
        key.resize(cut);
        while (key.ends_with(':'))
            key.pop_back();
    }
}

event::Task<Verdict> check_host(Judge& judge, const Step& step, const Subject& subject, std::string name)
{
    Query query{judge, step, subject};
    name = text::to_lower(name);
    std::optional<Verdict> verdict = co_await try_domain(query, name);
    if (!verdict)
        verdict = co_await try_address(query, judge.facts().client.address);
    co_return verdict.value_or(Verdict::dunno);
}

event::Task<Verdict> check_domain(Judge& judge, const Step& step, const std::string& domain,
                                  std::string_view class_name)
{
    const Subject subject{domain, class_name};
    Query query{judge, step, subject};
    std::string folded = text::to_lower(domain);
    const std::optional<Verdict> verdict = co_await try_domain(query, std::move(folded));
    co_return verdict.value_or(Verdict::dunno);
}

// user+ext@domain, user@domain, domain and its parents, user+ext@, user@.
event::Task<std::optional<Verdict>> try_mail_address(Query& query, const std::string& address)
{
    const auto [local, domain, has_domain] = mail::split_address(address);
    const std::string& delimiter = query.judge.settings().recipient_delimiter;
    const auto [user, extension] = mail::split_extension(local, delimiter);
    const std::string bare = extension.empty() ? std::string() : fmt::format("{}@{}", user, domain);

    const std::string whole_at = fmt::format("{}@", local);
    const std::string user_at = fmt::format("{}@", user);

    std::optional<Verdict> verdict = co_await try_key(query, address, Patterns::use);
    if (!verdict && !bare.empty())
        verdict = co_await try_key(query, bare, Patterns::skip);
    if (!verdict) {
        // The domain of an address is only a part of it: no pattern may match it.
        std::string name(domain);
        const auto parents = query.judge.context().access_parents;
        for (bool whole = true; !verdict && !name.empty(); whole = false) {
            const bool dotted = !whole && parents == table::Maps::Parents::dotted;
            std::string key = dotted ? "." + name : name;
            verdict = co_await try_key(query, std::move(key), Patterns::skip);
            const auto dot = name.find('.');
            name = dot == name.npos || dot + 1 == name.size() || parents == table::Maps::Parents::none
                       ? std::string()
                       : name.substr(dot + 1);
        }
    }
    if (!verdict)
        verdict = co_await try_key(query, whole_at, Patterns::skip);
    if (!verdict && !bare.empty())
        verdict = co_await try_key(query, user_at, Patterns::skip);
    co_return verdict;
}

event::Task<Verdict> check_mail_address(Judge& judge, const Step& step, std::string address,
                                        std::string_view class_name)
{
    const Subject subject{address, class_name};
    Query query{judge, step, subject};
    const auto resolved = co_await judge.resolve(address);
    if (!resolved)
        co_return judge.lookup_failed(address);
    if (resolved->recipient().find('@') == std::string::npos) {
        log::warning("check_mail_access: no @domain in address: {}", resolved->recipient());
        co_return Verdict::dunno;
    }
    const std::string recipient = resolved->recipient();
    const std::optional<Verdict> verdict = co_await try_mail_address(query, recipient);
    // An address with routing of its own must not pass for one of ours.
    const bool suspicious = !judge.settings().allow_untrusted_routing &&
                            (resolved->flags() & ipc::resolve_flag::routed) != 0 &&
                            class_name == subject_class::recipient;
    if (verdict == Verdict::ok && suspicious)
        co_return Verdict::dunno;
    co_return verdict.value_or(Verdict::dunno);
}

} // namespace

event::Task<Verdict> check_client_access(Judge& judge, const Step& step, const Subject&)
{
    const Client& client = judge.facts().client;
    const Subject subject{client.shown, subject_class::client};
    const Verdict verdict = co_await check_host(judge, step, subject, client.name);
    co_return verdict;
}

event::Task<Verdict> check_reverse_client_hostname_access(Judge& judge, const Step& step, const Subject&)
{
    const Client& client = judge.facts().client;
    const Subject subject{client.reverse_name, subject_class::client};
    const Verdict verdict = co_await check_host(judge, step, subject, client.reverse_name);
    co_return verdict;
}

event::Task<Verdict> check_helo_access(Judge& judge, const Step& step, const Subject&)
{
    if (!judge.facts().helo_name)
        co_return Verdict::dunno;
    const std::string name = *judge.facts().helo_name;
    const Verdict verdict = co_await check_domain(judge, step, name, subject_class::helo);
    co_return verdict;
}

event::Task<Verdict> check_sender_access(Judge& judge, const Step& step, const Subject&)
{
    if (!judge.facts().sender)
        co_return Verdict::dunno;
    const std::string sender = *judge.facts().sender;
    if (!sender.empty()) {
        const Verdict verdict = co_await check_mail_address(judge, step, sender, subject_class::sender);
        co_return verdict;
    }
    const Subject subject{sender, subject_class::sender};
    Query query{judge, step, subject};
    const std::optional<Verdict> verdict = co_await try_key(query, judge.settings().null_access_key, Patterns::use);
    co_return verdict.value_or(Verdict::dunno);
}

event::Task<Verdict> check_recipient_access(Judge& judge, const Step& step, const Subject&)
{
    if (!judge.facts().recipient || judge.facts().recipient->empty())
        co_return Verdict::dunno;
    const Verdict verdict =
        co_await check_mail_address(judge, step, *judge.facts().recipient, subject_class::recipient);
    co_return verdict;
}

event::Task<Verdict> check_etrn_access(Judge& judge, const Step& step, const Subject&)
{
    if (!judge.facts().etrn_name)
        co_return Verdict::dunno;
    const std::string name = *judge.facts().etrn_name;
    const Verdict verdict = co_await check_domain(judge, step, name, subject_class::etrn);
    co_return verdict;
}

} // namespace access

} // namespace facteur::smtpd
