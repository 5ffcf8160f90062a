// XCLIENT and XFORWARD: a proxy in front of us tells about the client it serves. Sources: XCLIENT_README,
// XFORWARD_README.
#include "base/text.h"
#include "daemons/smtpd/names.h"
#include "daemons/smtpd/verbs.h"
#include "smtp/attributes.h"

namespace facteur::smtpd::verb {

namespace {

using smtp::Attribute;
using smtp::Known;

// The error is the reply to send.
using Applied = std::expected<void, std::string>;

constexpr std::size_t kMaxHelo = 255;

NameStatus status_of(Known known)
{
    return known == Known::temporarily_not ? NameStatus::temporary
           : known == Known::unavailable   ? NameStatus::permanent
                                           : NameStatus::ok;
}

std::string neutral(std::string_view text)
{
    std::string safe(text);
    for (char& c : safe)
        if (std::string_view("<>()\\\";@").find(c) != std::string_view::npos)
            c = '?';
    return safe;
}

std::unexpected<std::string> bad(const Attribute& attribute)
{
    return std::unexpected(fmt::format("501 5.5.4 Bad {} syntax: {}", attribute.name, attribute.value));
}

// An address of a protocol that inet_protocols allows, without the "IPV6:" that RFC 5321 writes before it.
std::optional<std::string> parse_address(const Settings& settings, std::string_view text)
{
    const bool tagged = text::istarts_with(text, "IPV6:");
    if (tagged)
        text.remove_prefix(5);
    const bool ipv6 = text.find(':') != text.npos;
    if (!valid_address(text) || (tagged && !ipv6) || (ipv6 ? !settings.ipv6 : !settings.ipv4))
        return std::nullopt;
    return std::string(text);
}

std::optional<std::string> parse_port(std::string_view text)
{
    const auto number = text::to_long(text);
    if (!smtp::all_digits(text) || !number || *number > 65535)
        return std::nullopt;
    return std::string(text);
}

struct XclientState {
    bool reverse_given = false;
};

Applied apply_xclient(Session& session, const Attribute& attribute, XclientState& state)
{
    Facts& facts = session.facts;
    Client& client = facts.client;
    const bool known = attribute.known == Known::yes;
    if (attribute.name == "NAME") {
        if (known && !valid_hostname(attribute.value))
            return bad(attribute);
        client.name = known ? attribute.value : "unknown";
        client.name_status = status_of(attribute.known);
        if (!state.reverse_given) {
            client.reverse_name = client.name;
            client.reverse_name_status = client.name_status;
        }
    } else if (attribute.name == "REVERSE_NAME") {
        if (known && !valid_hostname(attribute.value))
            return bad(attribute);
        state.reverse_given = true;
        client.reverse_name = known ? attribute.value : "unknown";
        client.reverse_name_status = status_of(attribute.known);
    } else if (attribute.name == "ADDR") {
        const auto address =
            known ? parse_address(session.settings(), attribute.value) : std::optional<std::string>("unknown");
        if (!address)
            return bad(attribute);
        client.address = *address;
    } else if (attribute.name == "PORT") {
        const auto port = known ? parse_port(attribute.value) : std::optional<std::string>("unknown");
        if (!port)
            return bad(attribute);
        client.port = *port;
    } else if (attribute.name == "HELO") {
        facts.helo_name = known ? std::optional(neutral(attribute.value.substr(0, kMaxHelo))) : std::nullopt;
    } else if (attribute.name == "PROTO") {
        if (attribute.value != "SMTP" && attribute.value != "ESMTP")
            return bad(attribute);
        facts.protocol = attribute.value;
    } else if (attribute.name == "LOGIN") {
        facts.sasl_username = known ? attribute.value : "";
        facts.sasl_method = known ? "XCLIENT" : "";
    } else if (attribute.name == "DESTADDR") {
        if (known && !parse_address(session.settings(), attribute.value))
            return bad(attribute);
    } else if (attribute.name == "DESTPORT") {
        if (known && !parse_port(attribute.value))
            return bad(attribute);
    } else {
        return std::unexpected(fmt::format("501 5.5.4 Bad XCLIENT attribute name: {}", attribute.name));
    }
    return {};
}

Applied apply_xforward(Session& session, const Attribute& attribute)
{
    Forwarded& told = session.facts.forwarded;
    const bool known = attribute.known == Known::yes;
    const std::string value = known ? neutral(attribute.value) : "unknown";
    if (attribute.name == "NAME") {
        if (known && !valid_hostname(attribute.value))
            return bad(attribute);
        told.name = value;
    } else if (attribute.name == "ADDR") {
        const auto address =
            known ? parse_address(session.settings(), attribute.value) : std::optional<std::string>("unknown");
        if (!address)
            return bad(attribute);
        told.address = *address;
    } else if (attribute.name == "PORT") {
        const auto port = known ? parse_port(attribute.value) : std::optional<std::string>("unknown");
        if (!port)
            return bad(attribute);
        told.port = *port;
    } else if (attribute.name == "HELO") {
        told.helo = known ? value.substr(0, kMaxHelo) : "";
    } else if (attribute.name == "PROTO") {
        told.protocol = value;
    } else if (attribute.name == "IDENT") {
        told.ident = known ? value : "";
    } else if (attribute.name == "SOURCE") {
        if (known && !text::iequals(value, "LOCAL") && !text::iequals(value, "REMOTE"))
            return bad(attribute);
        told.domain = known ? text::to_lower(value) : "";
    } else {
        return std::unexpected(fmt::format("501 5.5.4 Bad XFORWARD attribute name: {}", attribute.name));
    }
    return {};
}

std::optional<std::string> not_allowed(const Session& session, const Words& words, bool authorized)
{
    if (session.transaction.open)
        return "503 5.5.1 Error: MAIL transaction in progress";
    if (words.size() < 2)
        return fmt::format("501 5.5.4 Syntax: {} attribute=value...", session.facts.where);
    if (!authorized)
        return "550 5.7.0 Error: insufficient authorization";
    return std::nullopt;
}

// Each word as an attribute; the reply of the first that is wrong.
template <typename Apply>
Applied each_attribute(const Words& words, const Apply& apply)
{
    for (std::size_t i = 1; i < words.size(); ++i) {
        const auto attribute = smtp::parse_attribute(words[i].text);
        if (!attribute)
            return std::unexpected(attribute.error());
        if (const Applied applied = apply(*attribute); !applied)
            return applied;
    }
    return {};
}

} // namespace

event::Task<Outcome> xclient(Session& session, const Words& words)
{
    const bool authorized = Context::matches(session.context.lists->xclient_hosts, session.facts.client);
    if (const auto refused = not_allowed(session, words, authorized))
        co_return session.refuse(*refused);
    session.facts.helo_name.reset();
    session.facts.sasl_username.clear();
    session.facts.sasl_method.clear();
    XclientState state;
    const Applied applied =
        each_attribute(words, [&](const Attribute& attribute) { return apply_xclient(session, attribute, state); });
    session.facts.client.update_shown(session.settings().port_logging);
    if (!applied)
        co_return session.refuse(applied.error());
    // The conversation starts anew, as if the client told of had connected.
    session.reset_transaction();
    session.judge.forget();
    session.facts.trusted_context = co_await session.context.rewrites_as_local(session.facts.client);
    if (!session.settings().delay_reject) {
        const auto refused = co_await session.judge.client();
        if (refused)
            co_return session.refuse(*refused);
    }
    session.greet();
    co_return Outcome::restart;
}

event::Task<Outcome> xforward(Session& session, const Words& words)
{
    if (const auto refused = not_allowed(session, words, session.may_xforward))
        co_return session.refuse(*refused);
    const Applied applied =
        each_attribute(words, [&](const Attribute& attribute) { return apply_xforward(session, attribute); });
    if (!applied)
        co_return session.refuse(applied.error());
    session.facts.forwarded.given = true;
    session.reply("250 2.0.0 Ok");
    co_return Outcome::ok;
}

} // namespace facteur::smtpd::verb
