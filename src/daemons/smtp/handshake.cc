#include "daemons/smtp/handshake.h"

#include "base/log.h"
#include "base/text.h"

namespace facteur::smtp_client {

namespace {

constexpr std::string_view kReceivingGreeting = "receiving the initial server greeting";

using Outcome = std::expected<void, Trouble>;

Trouble refused(const Session& session, const Reply& reply)
{
    return reply_trouble(session.peer().host, reply,
                         fmt::format("host {} refused to talk to me: {}", session.name(), reply.one_line()));
}

std::string pix_names(std::uint32_t bits)
{
    std::string names = bits & pix::disable_esmtp ? "disable_esmtp" : "";
    if (bits & pix::delay_dotcrlf)
        names += names.empty() ? "delay_dotcrlf" : " delay_dotcrlf";
    return names;
}

// What the greeting says about the server. True: ESMTP is worth a try.
bool read_greeting(Session& session, const Settings& settings, const HandshakeOptions& options, const Reply& reply)
{
    const Greeting greeting = greeted_by(reply.text);
    if (greeting.hidden && options.pix_workarounds != 0) {
        session.pix_workarounds = options.pix_workarounds;
        log::info("{}: enabling PIX workarounds: {} for {}", options.queue_id, pix_names(options.pix_workarounds),
                  session.peer().relay());
    }
    if (options.detect_loops && text::iequals(greeting.host, settings.myhostname))
        log::warning("host {} greeted me with my own hostname {}", session.name(), settings.myhostname);
    if (settings.protocol == Protocol::lmtp)
        return true;
    const bool forbidden = settings.never_ehlo || (session.pix_workarounds & pix::disable_esmtp);
    return !forbidden && (settings.always_ehlo || greeting.esmtp);
}

Outcome read_features(Session& session, const Settings& settings, const HandshakeOptions& options, const Reply& reply)
{
    ServerFeatures server = parse_ehlo(reply.text);
    if (options.detect_loops && text::iequals(server.host, settings.myhostname)) {
        log::warning("host {} replied to HELO/EHLO with my own hostname {}", session.name(), settings.myhostname);
        return std::unexpected(
            local_trouble("5.4.6", fmt::format("mail for {} loops back to myself", options.nexthop)));
    }
    if (server.bad_size_limit)
        log::warning("bad EHLO SIZE limit \"{}\" from {}", text::printable(*server.bad_size_limit),
                     session.peer().relay());
    if (server.has(feature::smtputf8) && !server.has(feature::eightbitmime)) {
        log::info("host {} offers SMTPUTF8 support, but not 8BITMIME", session.peer().relay());
        server.bits |= feature::eightbitmime;
    }
    if (options.discard_keywords != 0 && !(options.discard_keywords & feature::silent))
        log::info("discarding EHLO keywords: {}", smtp::ehlo_keyword_names(options.discard_keywords));
    server.bits &= ~options.discard_keywords;
    if (!server.has(feature::size))
        server.size_limit = 0;
    if (!server.has(feature::xforward))
        server.xforward_bits = 0;
    session.server = std::move(server);
    return {};
}

struct Hello {
    std::string_view verb;
    std::string_view doing;
};
constexpr Hello kEhlo{"EHLO", "performing the EHLO handshake"};
constexpr Hello kHelo{"HELO", "performing the HELO handshake"};
constexpr Hello kLhlo{"LHLO", "performing the LHLO handshake"};

event::Task<std::expected<Reply, Trouble>> say_hello(Session& session, const Settings& settings, Hello hello)
{
    session.queue_command(fmt::format("{} {}", hello.verb, settings.helo_name));
    const auto flushed = co_await session.flush(settings.timeouts.helo);
    if (!flushed)
        co_return std::unexpected(broken(session.name(), flushed.error(), hello.doing));
    auto reply = co_await session.read_reply(settings.timeouts.helo);
    if (!reply)
        co_return std::unexpected(broken(session.name(), reply.error(), hello.doing));
    co_return std::move(*reply);
}

} // namespace

event::Task<Outcome> shake_hands(Session& session, const Settings& settings, HandshakeOptions options)
{
    auto greeting = co_await session.read_reply(settings.timeouts.helo);
    if (!greeting)
        co_return std::unexpected(broken(session.name(), greeting.error(), kReceivingGreeting));
    if (greeting->kind() != 2) {
        if (greeting->kind() == 5 && settings.skip_5xx_greeting)
            greeting->status[0] = '4';
        co_return std::unexpected(refused(session, *greeting));
    }
    const bool lmtp = settings.protocol == Protocol::lmtp;
    if (read_greeting(session, settings, options, *greeting)) {
        auto reply = co_await say_hello(session, settings, lmtp ? kLhlo : kEhlo);
        if (!reply)
            co_return std::unexpected(std::move(reply.error()));
        if (reply->kind() == 2)
            co_return read_features(session, settings, options, *reply);
        if (lmtp || reply->code == 421)
            co_return std::unexpected(refused(session, *reply));
    }
    auto reply = co_await say_hello(session, settings, kHelo);
    if (!reply)
        co_return std::unexpected(std::move(reply.error()));
    if (reply->kind() != 2)
        co_return std::unexpected(refused(session, *reply));
    co_return Outcome{};
}

} // namespace facteur::smtp_client
