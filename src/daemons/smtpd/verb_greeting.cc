// HELO, EHLO and the commands that only answer.
#include "base/log.h"
#include "base/text.h"
#include "daemons/smtpd/intake.h"
#include "daemons/smtpd/names.h"
#include "daemons/smtpd/verbs.h"
#include "net/address.h"
#include "smtp/ehlo.h"

namespace facteur::smtpd::verb {

namespace {

// What a HELO name must not hold in log lines and headers.
std::string neutral(std::string_view name)
{
    constexpr std::string_view kTroublesome = "<>()\\\";:@";
    std::string safe = text::printable(name, text::Utf8::allow);
    const bool literal = literal_address(safe).has_value();
    for (char& c : safe)
        if (kTroublesome.find(c) != kTroublesome.npos && !(literal && c == ':'))
            c = '?';
    return safe;
}

event::Task<bool> greeting_refused(Session& session, std::string name)
{
    if (session.context.standalone || session.settings().delay_reject)
        co_return false;
    const auto refused = co_await session.judge.helo(std::move(name));
    if (refused)
        session.reply(*refused);
    co_return refused.has_value();
}

void begin(Session& session, std::string_view name, std::string_view protocol)
{
    session.reset_transaction();
    session.facts.helo_name = neutral(name);
    session.facts.protocol = protocol;
}

void log_discarded(Session& session)
{
    if (session.discarded_keywords == 0 || !session.offers(smtp::ehlo::silent))
        return;
    log::info("discarding EHLO keywords: {}", smtp::ehlo_keyword_names(session.discarded_keywords));
}

} // namespace

event::Task<Outcome> helo(Session& session, const Words& words)
{
    if (words.size() < 2)
        co_return session.refuse("501 Syntax: HELO hostname");
    const std::string name = smtp::join_words(words, 1);
    const bool refused = co_await greeting_refused(session, name);
    if (refused)
        co_return Outcome::error;
    // Going back from ESMTP to SMTP would make honest pipelining look improper.
    begin(session, name, session.facts.protocol == "ESMTP" ? "ESMTP" : "SMTP");
    session.reply(fmt::format("250 {}", session.settings().myhostname));
    co_return Outcome::ok;
}

event::Task<Outcome> ehlo(Session& session, const Words& words)
{
    namespace keyword = smtp::ehlo;
    if (words.size() < 2)
        co_return session.refuse("501 Syntax: EHLO hostname");
    const std::string name = smtp::join_words(words, 1);
    const bool refused = co_await greeting_refused(session, name);
    if (refused)
        co_return Outcome::error;
    begin(session, name, "ESMTP");
    session.discarded_keywords = co_await session.context.discarded_ehlo_keywords(session.facts.client.address);
    log_discarded(session);

    const Settings& settings = session.settings();
    std::string lines = fmt::format("250 {}", settings.myhostname);
    const auto offer = [&](std::uint32_t bit, std::string_view line, bool available = true) {
        if (available && session.offers(bit)) {
            lines += '\n';
            lines += line;
        }
    };
    const Lists& lists = *session.context.lists;
    offer(keyword::pipelining, "PIPELINING");
    offer(keyword::size,
          settings.message_size_limit > 0 ? fmt::format("SIZE {}", settings.message_size_limit) : "SIZE");
    offer(keyword::vrfy, "VRFY", !settings.disable_vrfy);
    offer(keyword::etrn, "ETRN");
    offer(keyword::xclient, "XCLIENT NAME ADDR PROTO HELO REVERSE_NAME PORT LOGIN DESTADDR DESTPORT",
          Context::matches(lists.xclient_hosts, session.facts.client));
    offer(keyword::xforward, "XFORWARD NAME ADDR PROTO HELO SOURCE PORT IDENT", session.may_xforward);
    offer(keyword::enhancedstatuscodes, "ENHANCEDSTATUSCODES");
    offer(keyword::eightbitmime, "8BITMIME");
    offer(keyword::dsn, "DSN");
    offer(keyword::smtputf8, "SMTPUTF8", settings.smtputf8_enable);
    offer(keyword::chunking, "CHUNKING");
    session.reply(lines);
    co_return Outcome::ok;
}

event::Task<Outcome> starttls(Session& session, const Words& words)
{
    if (words.size() != 1)
        co_return session.refuse("501 5.5.4 Syntax: STARTTLS");
    co_return session.refuse("502 5.5.1 Error: command not implemented");
}

event::Task<Outcome> auth(Session& session, const Words&)
{
    if (session.settings().helo_required && !session.greeted())
        co_return session.refuse("503 5.5.1 Error: send HELO/EHLO first");
    co_return session.refuse("503 5.5.1 Error: authentication not enabled");
}

event::Task<Outcome> rset(Session& session, const Words& words)
{
    if (words.size() != 1)
        co_return session.refuse("501 5.5.4 Syntax: RSET");
    if (session.transaction.intake) {
        // Chunks of a message that is now forgotten.
        [[maybe_unused]] const auto dropped = co_await session.transaction.intake->finish(Intake::Finish::drop);
    }
    session.reset_transaction();
    session.reply("250 2.0.0 Ok");
    co_return Outcome::ok;
}

event::Task<Outcome> noop(Session& session, const Words&)
{
    session.reply("250 2.0.0 Ok");
    co_return Outcome::ok;
}

event::Task<Outcome> quit(Session& session, const Words&)
{
    session.reply("221 2.0.0 Bye");
    session.hang_up();
    co_return Outcome::ok;
}

event::Task<Outcome> vrfy(Session& session, const Words& words)
{
    const Settings& settings = session.settings();
    if (settings.disable_vrfy)
        co_return session.refuse("502 5.5.1 VRFY command is disabled");
    if (settings.helo_required && !session.greeted())
        co_return session.refuse("503 5.5.1 Error: send HELO/EHLO first");
    const bool utf8 = settings.smtputf8_enable && session.offers(smtp::ehlo::smtputf8);
    if (words.size() < 2)
        co_return session.refuse(fmt::format("501 5.5.4 Syntax: VRFY address{}", utf8 ? " [SMTPUTF8]" : ""));
    std::optional<std::string> address;
    if (!words[1].malformed)
        address = co_await read_address(session, words[1], smtp::PathSyntax::lenient);
    if (!address || address->empty())
        co_return session.refuse("501 5.1.3 Bad recipient address syntax");
    if (!session.context.standalone) {
        const auto refused = co_await session.judge.recipient(*address);
        if (refused)
            co_return session.refuse(*refused);
    }
    session.reply(fmt::format("252 2.0.0 {}", words[1].text));
    co_return Outcome::ok;
}

event::Task<Outcome> etrn(Session& session, const Words& words)
{
    if (session.settings().helo_required && !session.greeted())
        co_return session.refuse("503 Error: send HELO/EHLO first");
    if (session.transaction.open)
        co_return session.refuse("503 Error: MAIL transaction in progress");
    if (words.size() != 2)
        co_return session.refuse("500 Syntax: ETRN domain");
    std::string domain = words[1].text;
    if (domain.starts_with('@') || domain.starts_with('#'))
        domain.erase(0, 1);
    if (!valid_hostname(domain) && !literal_address(domain))
        co_return session.refuse("501 Error: invalid parameter syntax");
    if (session.context.standalone) {
        log::warning("do not use ETRN in \"sendmail -bs\" mode");
        co_return session.refuse("458 Unable to queue messages");
    }
    const auto refused = co_await session.judge.etrn(domain);
    if (refused)
        co_return session.refuse(*refused);
    auto status = ipc::FlushReply::DENY;
    if (Context::matches(session.context.lists->fast_flush_domains, domain))
        status = co_await session.context.services->flush_site(domain);
    switch (status) {
    case ipc::FlushReply::OK:
        session.reply("250 Queuing started");
        co_return Outcome::ok;
    case ipc::FlushReply::DENY:
        log::warning("reject: ETRN {:.100}... from {}", domain, session.facts.client.shown);
        co_return session.refuse(fmt::format("459 <{}>: service unavailable", domain));
    case ipc::FlushReply::BAD:
        log::warning("bad ETRN {:.100}... from {}", domain, session.facts.client.shown);
        co_return session.refuse("458 Unable to queue messages");
    default:
        log::warning("unable to talk to fast flush service");
        co_return session.refuse("458 Unable to queue messages");
    }
}

} // namespace facteur::smtpd::verb
