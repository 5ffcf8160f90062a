#include "daemons/smtp/transaction.h"

#include "base/log.h"
#include "daemons/smtp/body_encoder.h"
#include "daemons/smtp/commands.h"
#include "daemons/smtp/transfer_clock.h"

namespace facteur::smtp_client {

struct Transaction::StageFacts {
    std::string_view doing;   // "lost connection ... while <doing>"
    std::string_view command; // "in reply to <command> command"
    milliseconds Timeouts::* timeout;
};

namespace {

// Replies to a group must fit into what the kernel holds for us, or both sides wait for each other to read.
constexpr std::size_t kLongestGroup = 16 << 10;
constexpr std::size_t kSmall = 64 << 10;

constexpr std::string_view kSendingBody = "sending message body";
constexpr std::string_view kSendingDot = "sending end of data -- message may be sent more than once";
constexpr std::string_view kEndOfData = "end of DATA";

} // namespace

const Transaction::StageFacts& Transaction::facts(Stage stage)
{
    static constexpr StageFacts kStages[] = {
        {"sending XFORWARD name/address", "XFORWARD name/address", &Timeouts::xforward},
        {"sending XFORWARD protocol/helo_name", "XFORWARD helo/protocol", &Timeouts::xforward},
        {"sending MAIL FROM", "MAIL FROM", &Timeouts::mail},
        {"sending RCPT TO", "RCPT TO", &Timeouts::rcpt},
        {"sending DATA command", "DATA", &Timeouts::data_init},
    };
    return kStages[static_cast<std::size_t>(stage)];
}

Transaction::Transaction(Session& session, const Message& message, const Settings& settings)
    : session_(session), message_(message), settings_(settings)
{
}

event::Task<TransactionResult> Transaction::run()
{
    if (auto refusal = unsendable()) {
        result_.rest = std::move(refusal);
        result_.reusable = true;
        co_return std::move(result_);
    }
    plan();
    const bool whole = co_await send_envelope();
    if (whole && data_open_)
        co_await send_message();
    else if (whole)
        result_.needs_reset = mail_taken_;
    if (whole && !session_.said_goodbye && !result_.stale)
        result_.reusable |= !data_open_;
    co_return std::move(result_);
}

std::optional<Trouble> Transaction::unsendable() const
{
    const std::uint64_t limit = session_.server.size_limit;
    if (limit > 0 && limit < message_.content.size)
        return local_trouble("5.3.4", fmt::format("message size {} exceeds size limit {} of server {}",
                                                  message_.content.size, limit, session_.name()));
    if (message_.requires_smtputf8() && !session_.server.has(feature::smtputf8))
        return local_trouble("5.6.7",
                             fmt::format("SMTPUTF8 is required, but was not offered by host {}", session_.name()));
    return std::nullopt;
}

void Transaction::plan()
{
    const auto add = [this](Stage stage, std::string line, std::size_t position = 0) {
        if (!line.empty())
            steps_.push_back({stage, position, std::move(line)});
    };
    steps_.reserve(message_.recipients.size() + 4);
    if (settings_.send_xforward) {
        add(Stage::xforward_client, xforward_client_command(message_.envelope, session_.server));
        add(Stage::xforward_protocol, xforward_protocol_command(message_.envelope, session_.server));
    }
    add(Stage::mail, mail_command(message_, session_.server, settings_));
    for (std::size_t i = 0; i < message_.recipients.size(); ++i)
        add(Stage::rcpt, rcpt_command(*message_.recipients[i], session_.server, settings_), i);
    if (!message_.verify_only || settings_.verify_target == VerifyTarget::data)
        add(Stage::data, "DATA");
}

std::size_t Transaction::group_end(std::size_t begin) const
{
    if (!session_.server.has(feature::pipelining))
        return begin + 1;
    std::size_t bytes = 0;
    std::size_t end = begin;
    while (end < steps_.size() && (end == begin || bytes + steps_[end].line.size() < kLongestGroup))
        bytes += steps_[end++].line.size() + 2;
    return end;
}

// Nothing of what is left can succeed any more.
bool Transaction::pointless(std::size_t begin) const
{
    return mail_refused_ || (steps_[begin].stage == Stage::data && taken_.empty());
}

milliseconds Transaction::timeout(Stage stage) const
{
    return settings_.timeouts.*facts(stage).timeout;
}

event::Task<bool> Transaction::send_envelope()
{
    for (std::size_t begin = 0; begin < steps_.size() && !pointless(begin);) {
        const std::size_t end = group_end(begin);
        const bool whole = co_await run_group(begin, end);
        if (!whole)
            co_return false;
        begin = end;
    }
    co_return true;
}

event::Task<bool> Transaction::run_group(std::size_t begin, std::size_t end)
{
    for (std::size_t i = begin; i < end; ++i)
        session_.queue_command(steps_[i].line);
    const auto flushed = co_await session_.flush(timeout(steps_[begin].stage));
    if (!flushed) {
        lost(flushed.error(), facts(steps_[begin].stage).doing);
        co_return false;
    }
    for (std::size_t i = begin; i < end; ++i) {
        auto reply = co_await session_.read_reply(timeout(steps_[i].stage));
        if (!reply) {
            lost(reply.error(), facts(steps_[i].stage).doing);
            co_return false;
        }
        // The server ended an idle connection while our command was on its way.
        if (!answered_ && session_.reused && reply->code == 421) {
            result_.stale = true;
            co_return false;
        }
        answered_ = true;
        take_reply(steps_[i], std::move(*reply));
    }
    co_return true;
}

void Transaction::lost(Broken how, std::string_view doing)
{
    if (!answered_ && session_.reused && how == Broken::closed) {
        result_.stale = true;
        return;
    }
    result_.rest = broken(session_.name(), how, doing);
    result_.throttle = true;
}

void Transaction::take_reply(const Step& step, Reply reply)
{
    switch (step.stage) {
    case Stage::xforward_client:
    case Stage::xforward_protocol:
        if (reply.kind() != 2)
            log::warning("host {} said: {} (in reply to {} command)", session_.name(), reply.one_line(),
                         facts(step.stage).command);
        break;
    case Stage::mail:
        mail_taken_ = reply.kind() == 2;
        mail_refused_ = !mail_taken_;
        if (mail_refused_)
            result_.rest = said(session_.peer().host, session_.name(), reply, facts(step.stage).command);
        break;
    case Stage::rcpt:
        if (!mail_refused_)
            take_rcpt_reply(step, std::move(reply));
        break;
    case Stage::data:
        take_data_reply(reply);
        break;
    }
}

void Transaction::take_rcpt_reply(const Step& step, Reply reply)
{
    if (reply.kind() == 2) {
        taken_.push_back(step.position);
        if (message_.verify_only && settings_.verify_target == VerifyTarget::rcpt)
            result_.outcomes.push_back({step.position, std::nullopt, std::move(reply)});
        return;
    }
    auto trouble = said(session_.peer().host, session_.name(), reply, facts(step.stage).command);
    result_.outcomes.push_back({step.position, std::move(trouble), {}});
}

void Transaction::take_data_reply(const Reply& reply)
{
    data_open_ = reply.kind() == 3;
    if (!data_open_ && !taken_.empty())
        result_.rest = said(session_.peer().host, session_.name(), reply, facts(Stage::data).command);
}

// --- after 354 ---

event::Task<void> Transaction::send_message()
{
    if (taken_.empty()) {
        co_await end_without_message();
        co_return;
    }
    if (message_.verify_only) {
        // The server waits for content that it must not get: this connection can only be dropped.
        for (const std::size_t position : taken_)
            result_.outcomes.push_back({position, std::nullopt, Reply{354, "2.0.0", "354 ready for content"}});
        session_.said_goodbye = true;
        co_return;
    }
    const auto sent = co_await send_content();
    if (!sent) {
        lost(sent.error(), kSendingBody);
        co_return;
    }
    co_await take_final_replies();
}

// 354 although no recipient was taken: an empty message, for nobody.
event::Task<void> Transaction::end_without_message()
{
    session_.queue(".\r\n");
    const auto flushed = co_await session_.flush(settings_.timeouts.data_done);
    if (!flushed || settings_.protocol == Protocol::lmtp)
        co_return;
    const auto reply = co_await session_.read_reply(settings_.timeouts.data_done);
    result_.reusable = reply && !session_.said_goodbye;
}

bool Transaction::needs_encoding() const
{
    const std::uint32_t flags = message_.content_flags;
    constexpr std::size_t kFlagged = 998; // what content_flag::long_lines means
    const bool long_lines =
        settings_.line_limit > 0 && (settings_.line_limit < kFlagged || (flags & queue::content_flag::long_lines));
    return (flags & queue::content_flag::dots) || long_lines || must_downgrade(message_, session_.server, settings_);
}

event::Task<std::expected<void, Broken>> Transaction::send_content()
{
    std::string headers = added_headers(message_, settings_.added);
    const bool delayed = (session_.pix_workarounds & pix::delay_dotcrlf) != 0;
    if (needs_encoding()) {
        const auto sent = co_await send_encoded(std::move(headers));
        co_return sent;
    }
    session_.queue(headers);
    const bool small =
        message_.content.size <= kSmall || (message_.content.image && !TransferClock(settings_).running());
    if (small && !delayed) {
        const auto sent = co_await send_at_once();
        co_return sent;
    }
    const auto sent = co_await send_as_it_is();
    co_return sent;
}

event::Task<std::expected<void, Broken>> Transaction::send_at_once()
{
    const queue::Content& content = message_.content;
    std::shared_ptr<const std::string> owner = content.image;
    std::string_view body = content.in_memory();
    if (!owner) {
        std::string bytes;
        if (!content.read(0, content.size, bytes))
            co_return std::unexpected(Broken::local_data);
        owner = std::make_shared<const std::string>(std::move(bytes));
        body = *owner;
    }
    session_.queue(owner, body);
    session_.queue(body.empty() || body.ends_with("\r\n") ? ".\r\n" : "\r\n.\r\n");
    const auto flushed = co_await flush_end(settings_.timeouts.data_xfer);
    co_return flushed;
}

event::Task<std::expected<void, Broken>> Transaction::send_piece(std::uint64_t at, std::uint64_t count,
                                                                 milliseconds limit)
{
    const queue::Content& content = message_.content;
    if (!content.image) {
        const auto sent = co_await session_.send_file(content.file, content.offset + at, count, limit);
        co_return sent;
    }
    session_.queue(content.in_memory().substr(at, count));
    const auto flushed = co_await session_.flush(limit);
    co_return flushed;
}

event::Task<std::expected<void, Broken>> Transaction::send_as_it_is()
{
    TransferClock clock(settings_);
    const std::uint64_t size = message_.content.size;
    // Under a deadline in pieces, so that what was sent can earn time.
    const std::uint64_t step = clock.running() ? kChunk : std::max<std::uint64_t>(size, 1);
    for (std::uint64_t at = 0; at < size; at += step) {
        const std::uint64_t count = std::min(step, size - at);
        const auto before = event::Clock::now();
        const auto sent = co_await send_piece(at, count, clock.remaining());
        if (!sent)
            co_return sent;
        clock.sent(count, event::Clock::now() - before);
    }
    std::string last;
    if (size >= 2 && !message_.content.read(size - 2, 2, last))
        co_return std::unexpected(Broken::local_data);
    const bool ended = size == 0 || last == "\r\n";
    if (!ended)
        session_.queue("\r\n");
    const auto waited = co_await wait_before_dot();
    if (!waited)
        co_return waited;
    session_.queue(".\r\n");
    const auto flushed = co_await flush_end(clock.remaining());
    co_return flushed;
}

event::Task<std::expected<void, Broken>> Transaction::send_encoded(std::string headers)
{
    using Convert = BodyEncoder::Convert;
    BodyEncoder encoder(settings_.line_limit, must_downgrade(message_, session_.server, settings_)
                                                  ? Convert::to_seven_bit
                                                  : Convert::nothing);
    TransferClock clock(settings_);
    std::string chunk = std::move(headers);
    std::string out;
    for (std::uint64_t at = 0; at < message_.content.size;) {
        const std::size_t count = std::min<std::uint64_t>(kChunk, message_.content.size - at);
        if (!message_.content.read(at, count, chunk))
            co_return std::unexpected(Broken::local_data);
        at += count;
        encoder.push(chunk, out);
        chunk.clear();
        if (at == message_.content.size && !(session_.pix_workarounds & pix::delay_dotcrlf))
            break;
        session_.queue(out);
        const auto before = event::Clock::now();
        const auto flushed = co_await session_.flush(clock.remaining());
        if (!flushed)
            co_return flushed;
        clock.sent(out.size(), event::Clock::now() - before);
        out.clear();
    }
    const auto waited = co_await wait_before_dot();
    if (!waited)
        co_return waited;
    encoder.push(chunk, out); // added headers of a message without content
    encoder.finish(out);
    if (encoder.broke_lines())
        log::info("{}: breaking line > {} bytes with <CR><LF>SPACE", message_.queue_id, settings_.line_limit);
    session_.queue(out);
    const auto flushed = co_await flush_end(clock.remaining());
    co_return flushed;
}

// Some firewalls lose a final dot that shares a packet with content.
event::Task<std::expected<void, Broken>> Transaction::wait_before_dot()
{
    if (!(session_.pix_workarounds & pix::delay_dotcrlf))
        co_return std::expected<void, Broken>{};
    const auto flushed = co_await session_.flush(settings_.timeouts.data_xfer);
    if (!flushed)
        co_return flushed;
    co_await session_.loop().sleep(settings_.pix_delay);
    co_return std::expected<void, Broken>{};
}

// With the final dot queued.
event::Task<std::expected<void, Broken>> Transaction::flush_end(milliseconds limit)
{
    if (session_.last_message && session_.server.has(feature::pipelining))
        session_.queue_quit();
    return session_.flush(limit);
}

// SMTP: one reply for all. LMTP: one for each recipient that RCPT took, in order (RFC 2033 s4.2).
event::Task<void> Transaction::take_final_replies()
{
    const bool each = settings_.protocol == Protocol::lmtp;
    for (std::size_t i = 0; i < taken_.size(); i += each ? 1 : taken_.size()) {
        const auto reply = co_await session_.read_reply(settings_.timeouts.data_done);
        if (!reply) {
            if (each && i > 0)
                log::debug("{}: got {} of {} end-of-data replies", message_.queue_id, i, taken_.size());
            lost(reply.error(), kSendingDot);
            co_return;
        }
        if (reply->kind() == 2) {
            for (std::size_t k = i; k < (each ? i + 1 : taken_.size()); ++k)
                result_.outcomes.push_back({taken_[k], std::nullopt, *reply});
            continue;
        }
        auto trouble = said(session_.peer().host, session_.name(), *reply, kEndOfData);
        if (each)
            result_.outcomes.push_back({taken_[i], std::move(trouble), {}});
        else
            result_.rest = std::move(trouble);
    }
    result_.reusable = !session_.said_goodbye;
}

// --- between messages ---

event::Task<bool> reset_session(Session& session, const Settings& settings)
{
    session.queue_command("RSET");
    const auto flushed = co_await session.flush(settings.timeouts.rset);
    if (!flushed)
        co_return false;
    const auto reply = co_await session.read_reply(settings.timeouts.rset);
    co_return reply && reply->kind() == 2;
}

event::Task<void> quit_session(Session& session, const Settings& settings)
{
    if (session.said_goodbye)
        co_return;
    session.queue_quit();
    const auto flushed = co_await session.flush(settings.timeouts.quit);
    if (!flushed || settings.skip_quit_response)
        co_return;
    // The answer changes nothing; waiting for it is what some servers need to stay calm.
    const auto reply = co_await session.read_reply(settings.timeouts.quit);
    if (!reply)
        log::debug("{}: no reply to QUIT", session.name());
}

} // namespace facteur::smtp_client
