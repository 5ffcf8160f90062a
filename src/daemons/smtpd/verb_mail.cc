// MAIL and RCPT: the envelope.
#include "base/log.h"
#include "base/text.h"
#include "daemons/smtpd/verbs.h"
#include "ipc/flags.h"
#include "smtp/ehlo.h"
#include "smtp/path.h"

#include <sys/time.h>

namespace facteur::smtpd {

namespace {

using smtp::PathSyntax;

std::span<const smtp::Word> parameters_of(const Words& words)
{
    return std::span(words).subspan(3);
}

smtp::Offered offered(const Session& session)
{
    namespace keyword = smtp::ehlo;
    return {.dsn = session.offers(keyword::dsn),
            .smtputf8 = session.settings().smtputf8_enable && session.offers(keyword::smtputf8)};
}

// True when anvil says that a rate limit is exceeded; the event is counted either way.
event::Task<bool> over_rate(Session& session, ipc::AnvilRequest::Operation operation, long limit, std::string_view what)
{
    if (limit <= 0 || !session.rate_limited)
        co_return false;
    const auto counts = co_await session.context.services->count(operation, session.facts.client.address);
    if (!counts || counts->rate() <= static_cast<std::uint32_t>(limit))
        co_return false;
    log::warning("{} rate limit exceeded: {} from {} for service {}", what, counts->rate(), session.facts.client.shown,
                 session.context.service_name);
    co_return true;
}

std::optional<std::string> refused_before_mail(const Session& session)
{
    if (session.settings().helo_required && !session.greeted())
        return "503 5.5.1 Error: send HELO/EHLO first";
    if (session.transaction.chunks != Transaction::Chunks::none)
        return session.transaction.open ? "503 5.5.1 Error: nested MAIL command" : "503 5.5.1 Error: MAIL after BDAT";
    if (session.transaction.open)
        return "503 5.5.1 Error: nested MAIL command";
    return std::nullopt;
}

bool must_declare_utf8(const Session& session, const std::string& address)
{
    return session.settings().strict_smtputf8 && !session.transaction.mail.smtputf8 && !text::all_ascii(address);
}

void begin_message(Session& session)
{
    timeval now{};
    ::gettimeofday(&now, nullptr);
    session.transaction.arrival_seconds = now.tv_sec;
    session.transaction.arrival_microseconds = static_cast<std::uint32_t>(now.tv_usec);
    session.facts.queue_id = session.context.ids->next();
    session.log_client();
}

void keep_recipient(Session& session, std::string address, const smtp::RcptParameters& parameters)
{
    queue::Recipient recipient;
    recipient.set_address(address);
    recipient.set_dsn_notify(parameters.dsn_notify);
    recipient.set_dsn_orcpt(parameters.dsn_orcpt);
    session.transaction.recipients.push_back(std::move(recipient));
    session.facts.recipient_count = session.transaction.recipients.size();
    if (!session.facts.recipient)
        session.facts.recipient = std::move(address);
}

} // namespace

event::Task<std::optional<std::string>> read_address(Session& session, const smtp::Word& word, PathSyntax syntax)
{
    auto address = smtp::parse_path(word.text, syntax);
    bool good = address.has_value();
    if (good && !address->empty() && !session.context.standalone && !smtp::plain_address(*address)) {
        const auto resolved = co_await session.judge.resolve(*address);
        // Not to be told now is no fault of the address; the restrictions will meet it again.
        good = !resolved || (resolved->flags() & ipc::resolve_flag::error) == 0;
    }
    if (!good)
        log::warning("Illegal address syntax from {} in {} command: {}", session.facts.client.shown,
                     session.facts.where, text::printable(word.text, text::Utf8::allow));
    co_return good ? std::move(address) : std::nullopt;
}

event::Task<Outcome> verb::mail(Session& session, const Words& words)
{
    const Settings& settings = session.settings();
    if (const auto refused = refused_before_mail(session))
        co_return session.refuse(*refused);
    if (words.size() < 3 || !text::iequals(words[1].text, "from:"))
        co_return session.refuse("501 5.5.4 Syntax: MAIL FROM:<address>");
    const bool over = co_await over_rate(session, ipc::AnvilRequest::MESSAGE, settings.message_rate_limit,
                                         "Message delivery request");
    if (over)
        co_return session.refuse(fmt::format("450 4.7.1 Error: too much mail from {}", session.facts.client.address));

    std::optional<std::string> address;
    if (!words[2].malformed)
        address = co_await read_address(session, words[2], settings.path_syntax);
    if (!address)
        co_return session.refuse("501 5.1.7 Bad sender address syntax");
    const auto parameters = smtp::parse_mail_parameters(parameters_of(words), offered(session));
    if (!parameters)
        co_return session.refuse(parameters.error());
    if (settings.message_size_limit > 0 && parameters->size > settings.message_size_limit)
        co_return session.refuse("552 5.3.4 Message size exceeds fixed limit");
    if (session.context.queue_full(parameters->size)) {
        log::warning("not enough free space in mail queue");
        co_return session.refuse("452 4.3.1 Insufficient system storage");
    }
    session.transaction.mail = *parameters;
    if (must_declare_utf8(session, *address))
        co_return session.refuse("553 5.6.7 Must declare SMTPUTF8 to send unicode address");
    if (!session.context.standalone && !settings.delay_reject) {
        const auto refused = co_await session.judge.sender(*address);
        if (refused)
            co_return session.refuse(*refused);
    }
    session.facts.sender = std::move(*address);
    session.facts.sasl_sender = parameters->auth;
    session.transaction.open = true;
    session.reply("250 2.1.0 Ok");
    co_return Outcome::ok;
}

event::Task<Outcome> verb::rcpt(Session& session, const Words& words)
{
    const Settings& settings = session.settings();
    if (session.transaction.chunks != Transaction::Chunks::none)
        co_return session.refuse("503 5.5.1 Error: RCPT after BDAT");
    if (!session.transaction.open)
        co_return session.refuse("503 5.5.1 Error: need MAIL command");
    if (words.size() < 3 || !text::iequals(words[1].text, "to:"))
        co_return session.refuse("501 5.5.4 Syntax: RCPT TO:<address>");
    const bool over =
        co_await over_rate(session, ipc::AnvilRequest::RECIPIENT, settings.recipient_rate_limit, "Recipient address");
    if (over)
        co_return session.refuse(
            fmt::format("450 4.7.1 Error: too many recipients from {}", session.facts.client.address));

    session.look_ahead();
    std::optional<std::string> address;
    if (!words[2].malformed)
        address = co_await read_address(session, words[2], settings.path_syntax);
    if (!address || address->empty())
        co_return session.refuse("501 5.1.3 Bad recipient address syntax");
    const auto parameters = smtp::parse_rcpt_parameters(parameters_of(words), offered(session));
    if (!parameters)
        co_return session.refuse(parameters.error());
    if (settings.recipient_limit > 0 &&
        session.transaction.recipients.size() >= static_cast<std::size_t>(settings.recipient_limit)) {
        session.reply("452 4.5.3 Error: too many recipients");
        const bool tolerated = session.transaction.recipients_over_limit++ < settings.recipient_overshoot_limit;
        co_return tolerated ? Outcome::ok : Outcome::error;
    }
    if (must_declare_utf8(session, *address))
        co_return session.refuse("553 5.6.7 Must declare SMTPUTF8 to send unicode address");
    if (!session.context.standalone) {
        const auto refused = co_await session.judge.recipient(*address);
        if (refused)
            co_return session.refuse(*refused);
    }
    if (session.facts.queue_id.empty())
        begin_message(session);
    keep_recipient(session, std::move(*address), *parameters);
    session.reply("250 2.1.5 Ok");
    co_return Outcome::ok;
}

} // namespace facteur::smtpd
