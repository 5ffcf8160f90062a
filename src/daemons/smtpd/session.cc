#include "daemons/smtpd/session.h"

#include "base/log.h"
#include "base/text.h"
#include "daemons/smtpd/intake.h"
#include "daemons/smtpd/reject_footer.h"
#include "daemons/smtpd/verbs.h"
#include "smtp/path.h"
#include "smtp/reply.h"

#include <sys/socket.h>

namespace facteur::smtpd {

namespace {

constexpr auto kCommands = std::to_array<Command>({
    // verb, run, ends a pipelined group, counts as junk; in the order of the disconnect line
    {"HELO", verb::helo, true, true},
    {"EHLO", verb::ehlo, true, true},
    {"XCLIENT", verb::xclient, true, false},
    {"XFORWARD", verb::xforward, false, false},
    {"STARTTLS", verb::starttls, true, false},
    {"AUTH", verb::auth, false, false},
    {"MAIL", verb::mail, false, false},
    {"RCPT", verb::rcpt, false, false},
    {"DATA", verb::data, true, false},
    {"BDAT", verb::bdat, false, false},
    {"RSET", verb::rset, false, true},
    {"NOOP", verb::noop, true, true},
    {"VRFY", verb::vrfy, true, true},
    {"ETRN", verb::etrn, false, true},
    {"QUIT", verb::quit, false, false},
    {"", nullptr, false, false},
});

const Command& find_command(std::string_view word)
{
    for (const Command& command : kCommands)
        if (text::iequals(word, command.verb))
            return command;
    return kCommands.back();
}

// The first bytes of what came too early, for the log.
std::string escaped(std::string_view bytes)
{
    constexpr std::size_t kShown = 100;
    std::string shown;
    for (const char c : bytes.substr(0, kShown)) {
        if (c == '\r')
            shown += "\\r";
        else if (c == '\n')
            shown += "\\n";
        else if (c == '\\')
            shown += "\\\\";
        else if (text::is_printable(c))
            shown += c;
        else
            shown += fmt::format("\\{:03o}", static_cast<unsigned char>(c));
    }
    return shown;
}

std::string early_bytes(int fd)
{
    char bytes[100];
    const ssize_t got = ::recv(fd, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);
    return got > 0 ? std::string(bytes, static_cast<std::size_t>(got)) : std::string();
}

} // namespace

std::span<const Command> commands()
{
    return kCommands;
}

Session::Session(Context& context_in, net::StreamPtr stream, Client client)
    : context(context_in), stream_(std::move(stream))
{
    static_assert(kCounts >= kCommands.size());
    facts.client = std::move(client);
    facts.client.update_shown(settings().port_logging);
}

void Session::reply(std::string_view text)
{
    std::string full = with_footer(text);
    if (settings().soft_bounce && full[0] == '5') {
        full[0] = '4';
        if (full.size() > 4 && full[4] == '5')
            full[4] = '4';
    }
    stream_->queue(smtp::format_reply(full));
    if (text.starts_with("421") || text.starts_with("521"))
        hanging_up_ = true;
}

Outcome Session::refuse(std::string_view text)
{
    reply(text);
    return Outcome::error;
}

std::string Session::with_footer(std::string_view text) const
{
    const std::string& footer = settings().reject_footer;
    if (footer.empty() || (text[0] != '4' && text[0] != '5'))
        return std::string(text);
    return add_reject_footer(text, footer, {facts, settings()});
}

void Session::greet()
{
    reply(fmt::format("220 {}", settings().banner));
}

void Session::forgive()
{
    errors_ = 0;
    junk_ = 0;
}

void Session::reset_transaction()
{
    transaction = Transaction{};
    facts.sender.reset();
    facts.recipient.reset();
    facts.recipient_count = 0;
    facts.queue_id.clear();
    facts.sasl_sender.reset();
    facts.actions = {};
    facts.forwarded = {};
    content_bytes_ = 0;
    ahead_ = 0;
}

void Session::log_client()
{
    std::string line = fmt::format("{}: client={}", facts.queue_id, facts.client.shown);
    if (!facts.sasl_method.empty())
        line += fmt::format(", sasl_method={}", facts.sasl_method);
    if (!facts.sasl_username.empty())
        line += fmt::format(", sasl_username={}", facts.sasl_username);
    if (facts.sasl_sender)
        line += fmt::format(", sasl_sender={}", *facts.sasl_sender);
    if (!facts.forwarded.ident.empty())
        line += fmt::format(", orig_queue_id={}", facts.forwarded.ident);
    const auto& [given, name, address, port, protocol, helo, ident, domain] = facts.forwarded;
    if (name == "unknown" && address == "unknown")
        line += ", orig_client=unknown";
    else if (!name.empty() || !address.empty())
        line += fmt::format(", orig_client={}[{}]", name, address);
    log::info("{}", line);
}

event::Task<bool> Session::fill(Lent lent)
{
    auto timeout = settings().timeout;
    if (settings().per_request_deadline) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(request_deadline_ - event::Clock::now());
        timeout = std::clamp(left, std::chrono::milliseconds(1), timeout);
    }
    const auto flushed = co_await stream_->flush(settings().timeout);
    if (!flushed) {
        broken_ = flushed.error();
        co_return false;
    }
    const auto filled = co_await (lent == Lent::yes ? stream_->fill_lent(timeout) : stream_->fill(timeout));
    if (!filled)
        broken_ = filled.error();
    co_return filled.has_value();
}

event::Task<std::string_view> Session::content()
{
    if (stream_->buffered().empty()) {
        const bool more = co_await fill(Lent::yes);
        if (!more)
            co_return std::string_view{};
        if (settings().per_request_deadline) {
            const auto earned = stream_->buffered().size() * 1000 / static_cast<std::size_t>(settings().min_data_rate);
            const auto latest = event::Clock::now() + settings().timeout;
            request_deadline_ = std::min(latest, request_deadline_ + std::chrono::milliseconds(earned));
        }
    }
    co_return stream_->buffered();
}

void Session::consume(std::size_t count)
{
    stream_->consume(count);
}

void Session::look_ahead()
{
    if (ahead_ > 0) {
        --ahead_;
        return;
    }
    constexpr std::size_t kMost = 100;
    std::string_view rest = stream_->buffered();
    if (context.standalone || rest.empty())
        return;
    for (; ahead_ < kMost; ++ahead_) {
        const auto end = rest.find('\n');
        if (end == rest.npos || !text::istarts_with(rest, "RCPT TO:"))
            return;
        const Words words = smtp::split_command(rest.substr(0, end));
        rest.remove_prefix(end + 1);
        const auto address = words.size() < 3 || words[2].malformed
                                 ? std::nullopt
                                 : smtp::parse_path(words[2].text, settings().path_syntax);
        if (address && smtp::plain_address(*address))
            context.services->will_resolve(facts.sender.value_or(""), *address);
    }
}

// One line; of one that is too long, its beginning. Nothing when the client is gone.
event::Task<std::optional<std::string>> Session::read_command()
{
    request_deadline_ = event::Clock::now() + settings().timeout;
    std::string line;
    for (bool first = true;;) {
        const auto piece = stream_->take_line(settings().line_length_limit);
        if (!piece) {
            const bool more = co_await fill();
            if (!more)
                co_return std::nullopt;
            continue;
        }
        if (first)
            line = piece->text;
        first = false;
        if (piece->ending == net::Stream::Ending::none)
            continue;
        bare_newline_ = piece->ending == net::Stream::Ending::lf;
        co_return std::move(line);
    }
}

bool Session::too_early(const Command& command)
{
    const bool must_wait = facts.protocol != "ESMTP" || command.ends_group;
    if (context.standalone || !must_wait || facts.pipelined_too_early || stream_->buffered().empty())
        return false;
    log::info("improper command pipelining after {} from {}: {}", command.verb, facts.client.shown,
              escaped(stream_->buffered()));
    facts.pipelined_too_early = true;
    if (!settings().forbid_unauth_pipelining)
        return false;
    reply("554 5.5.0 Error: SMTP protocol synchronization");
    hanging_up_ = true;
    return true;
}

event::Task<void> Session::dispatch(const Command& command, Words words)
{
    Count& count = counts_[static_cast<std::size_t>(&command - kCommands.data())];
    ++count.tried;
    if (!command.run) {
        facts.where = stage::unknown;
        if (smtp::looks_like_header(words[0].text) ||
            Context::matches(context.lists->forbidden_commands, words[0].text)) {
            log::warning("non-SMTP command from {}: {}", facts.client.shown,
                         text::printable(smtp::join_words(words, 0).substr(0, 100)));
            reply("221 2.7.0 Error: I can break rules, too. Goodbye.");
            hanging_up_ = true;
            co_return;
        }
    }
    if (!access_denied_.empty() && command.run != verb::quit) {
        if (access_denied_.substr(1).starts_with("21"))
            reply(access_denied_);
        else
            reply(fmt::format("503 5.7.0 Error: access denied for {}", facts.client.shown));
        count_error();
        co_return;
    }
    if (!command.run) {
        reply("500 5.5.2 Error: command not recognized");
        count_error();
        co_return;
    }
    facts.where = command.verb;
    if (too_early(command))
        co_return;
    const Outcome outcome = co_await command.run(*this, words);
    if (outcome == Outcome::ok)
        ++count.done;
    else if (outcome == Outcome::error)
        count_error();
    if (command.junk && junk_++ > settings().junk_command_limit)
        count_error();
}

event::Task<void> Session::handle(std::string line)
{
    if (bare_newline_ && settings().bare_newline == BareNewline::reject &&
        !Context::matches(context.lists->bare_newline_exclusions, facts.client)) {
        judge.log_action("reject", "bare <LF> received");
        reply(fmt::format("{} 5.5.2 {} Error: bare <LF> received", settings().bare_newline_reject_code,
                          settings().myhostname));
        hanging_up_ = true;
        co_return;
    }
    if (settings().smtputf8_enable && !text::valid_utf8(line)) {
        reply("500 5.5.2 Error: bad UTF-8 syntax");
        count_error();
        co_return;
    }
    Words words = smtp::split_command(line);
    if (words.empty()) {
        reply("500 5.5.2 Error: bad syntax");
        count_error();
        co_return;
    }
    if (Context::matches(context.lists->noop_commands, words[0].text)) {
        reply("250 2.0.0 Ok");
        if (junk_++ > settings().junk_command_limit)
            count_error();
        co_return;
    }
    const Command& command = find_command(words[0].text);
    co_await dispatch(command, std::move(words));
}

// Clients that err again and again wait for each answer.
event::Task<void> Session::slow_down()
{
    constexpr std::size_t kMostUnsent = 32 << 10;
    if (errors_ >= settings().soft_error_limit && settings().error_sleep_time.count() > 0)
        co_await context.loop.sleep(settings().error_sleep_time);
    if (stream_->queued() > kMostUnsent) {
        const auto flushed = co_await stream_->flush(settings().timeout);
        if (!flushed)
            broken_ = flushed.error();
    }
}

event::Task<void> Session::converse()
{
    while (!hanging_up_ && !broken_) {
        if (errors_ >= settings().hard_error_limit) {
            too_many_errors_ = true;
            reply(fmt::format("421 4.7.0 {} Error: too many errors", settings().myhostname));
            break;
        }
        auto line = co_await read_command();
        if (!line)
            break;
        co_await handle(std::move(*line));
        co_await slow_down();
    }
}

// anvil is asked only when an answer could matter.
event::Task<bool> Session::admitted()
{
    const Settings& limits = settings();
    const bool limited = limits.count_limit > 0 || limits.rate_limit > 0 || limits.message_rate_limit > 0 ||
                         limits.recipient_rate_limit > 0;
    // A proxy that speaks for others is not counted itself.
    rate_limited = limited && !context.standalone && !Context::matches(context.lists->xclient_hosts, facts.client) &&
                   !Context::matches(context.lists->event_limit_exceptions, facts.client);
    if (!rate_limited || (limits.count_limit <= 0 && limits.rate_limit <= 0))
        co_return true;
    counted_address_ = facts.client.address;
    const auto counts = co_await context.services->count(ipc::AnvilRequest::CONNECT, facts.client.address);
    if (!counts)
        co_return true;
    std::string_view what;
    std::uint32_t number = 0;
    if (limits.count_limit > 0 && counts->connections() > static_cast<std::uint32_t>(limits.count_limit)) {
        what = "Connection concurrency";
        number = counts->connections();
    } else if (limits.rate_limit > 0 && counts->rate() > static_cast<std::uint32_t>(limits.rate_limit)) {
        what = "Connection rate";
        number = counts->rate();
    } else {
        co_return true;
    }
    log::warning("{} limit exceeded: {} from {} for service {}", what, number, facts.client.shown,
                 context.service_name);
    reply(fmt::format("421 4.7.0 {} Error: too many connections from {}", limits.myhostname, facts.client.address));
    co_return false;
}

event::Task<void> Session::run()
{
    log::info("connect from {}", facts.client.shown);
    may_xforward = Context::matches(context.lists->xforward_hosts, facts.client);
    facts.trusted_context = co_await context.rewrites_as_local(facts.client);
    const bool welcome = co_await admitted();
    if (welcome && !context.standalone) {
        if (const std::string early = early_bytes(stream_->fd()); !early.empty()) {
            log::info("improper command pipelining after CONNECT from {}: {}", facts.client.shown, escaped(early));
            facts.pipelined_too_early = true;
        }
        if (!settings().delay_reject) {
            auto refused = co_await judge.client();
            access_denied_ = std::move(refused).value_or("");
        }
    }
    if (!welcome) {
        hanging_up_ = true;
    } else if (facts.pipelined_too_early && settings().forbid_unauth_pipelining) {
        reply("554 5.5.0 Error: SMTP protocol synchronization");
        hanging_up_ = true;
    } else if (!access_denied_.empty()) {
        reply(access_denied_);
        count_error();
    } else {
        greet();
    }
    co_await converse();
    co_await say_goodbye();
}

event::Task<void> Session::say_goodbye()
{
    constexpr std::chrono::seconds kPatience{10};
    if (broken_ == net::StreamError::timed_out)
        reply(fmt::format("421 4.4.2 {} Error: timeout exceeded", settings().myhostname));
    if (broken_ != net::StreamError::closed && broken_ != net::StreamError::failed) {
        // Whether the last words arrive changes nothing any more.
        [[maybe_unused]] const auto flushed = co_await stream_->flush(kPatience);
    }
    if (transaction.intake) {
        [[maybe_unused]] const auto dropped = co_await transaction.intake->finish(Intake::Finish::drop);
    }
    log_end();
    log_disconnect();
    if (!counted_address_.empty())
        co_await context.services->disconnected(counted_address_);
}

void Session::log_end() const
{
    std::string_view reason;
    if (too_many_errors_)
        reason = "too many errors";
    else if (broken_ == net::StreamError::timed_out)
        reason = "timeout";
    else if (broken_)
        reason = "lost connection";
    else
        return;
    if (facts.where == stage::after_data || facts.where == stage::after_bdat)
        log::info("{} after {} ({} bytes) from {}", reason, facts.where == stage::after_data ? "DATA" : "BDAT",
                  content_bytes_, facts.client.shown);
    else if (facts.where != stage::end_of_message || reason != "lost connection")
        log::info("{} after {} from {}", reason, facts.where, facts.client.shown);
}

void Session::log_disconnect() const
{
    std::string line = fmt::format("disconnect from {}", facts.client.shown);
    Count total;
    for (std::size_t i = 0; i < kCommands.size(); ++i) {
        const Count& count = counts_[i];
        if (count.tried == 0)
            continue;
        total.tried += count.tried;
        total.done += count.done;
        const std::string name = kCommands[i].run ? text::to_lower(kCommands[i].verb) : "unknown";
        line += count.done == count.tried ? fmt::format(" {}={}", name, count.done)
                                          : fmt::format(" {}={}/{}", name, count.done, count.tried);
    }
    line += total.done == total.tried && total.tried > 0 ? fmt::format(" commands={}", total.done)
                                                         : fmt::format(" commands={}/{}", total.done, total.tried);
    log::info("{}", line);
}

} // namespace facteur::smtpd
