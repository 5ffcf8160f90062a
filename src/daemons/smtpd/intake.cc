#include "daemons/smtpd/intake.h"

#include "base/log.h"
#include "ipc/flags.h"
#include "mail/address.h"
#include "mail/date.h"
#include "smtp/reply.h"

#include <algorithm>
#include <utility>

namespace facteur::smtpd {

namespace {

void set_origin(queue::Origin& origin, const Facts& facts)
{
    const Client& client = facts.client;
    const Forwarded& told = facts.forwarded;
    const auto pick = [&](const std::string& forwarded, const std::string& own) {
        return told.given && !forwarded.empty() ? forwarded : own;
    };
    origin.set_client_name(pick(told.name, client.name));
    origin.set_client_address(pick(told.address, client.address));
    origin.set_client_port(pick(told.port, client.port));
    origin.set_protocol_name(pick(told.protocol, facts.protocol));
    origin.set_helo_name(pick(told.helo, facts.helo_name.value_or("")));
    origin.set_log_ident(pick(told.ident, facts.queue_id));
    origin.set_domain(pick(told.domain, facts.trusted_context ? "local" : "remote"));
    origin.set_sasl_method(facts.sasl_method);
    origin.set_sasl_username(facts.sasl_username);
    origin.set_sasl_sender(facts.sasl_sender.value_or(""));
    origin.set_reverse_client_name(client.reverse_name);
    origin.set_server_address(client.server_address);
    origin.set_server_port(client.server_port);
}

struct Outcome {
    ipc::SubmitStatus status;
    std::string_view reply;
};
constexpr Outcome kOutcomes[] = {
    {ipc::SUBMIT_BAD, "451 4.3.0 Error: internal protocol error"},
    {ipc::SUBMIT_WRITE, "451 4.3.0 Error: queue file write error"},
    {ipc::SUBMIT_SIZE, "552 5.3.4 Error: message file too big"},
    {ipc::SUBMIT_CONTENT, "550 5.7.1 Error: message content rejected"},
    {ipc::SUBMIT_HOPS, "554 5.4.0 Error: too many hops"},
    {ipc::SUBMIT_RECIPIENTS, "550 5.1.0 Error: no recipients specified"},
    {ipc::SUBMIT_DEFER, "451 4.7.1 Error: service unavailable"},
};

} // namespace

std::string received_header(const Settings& settings, const Facts& facts, const Transaction& transaction)
{
    std::string header = "Received: ";
    if (!settings.hide_client_session)
        header += fmt::format("from {} ({} [{}])\r\n\t", facts.helo_name.value_or(facts.client.name), facts.client.name,
                              facts.client.rfc_address());
    if (settings.sasl_authenticated_header && !facts.sasl_username.empty())
        header += fmt::format("(Authenticated sender: {})\r\n\t", facts.sasl_username);
    const std::string_view protocol =
        transaction.mail.smtputf8 ? std::string_view("UTF8SMTP") : std::string_view(facts.protocol);
    header +=
        fmt::format("by {} ({}) with {} id {}", settings.myhostname, settings.mail_name, protocol, facts.queue_id);
    const std::string date = mail::mail_date(static_cast<std::time_t>(transaction.arrival_seconds));
    if (transaction.recipients.size() == 1)
        header += fmt::format("\r\n\tfor <{}>; {}\r\n", mail::to_external(facts.recipient.value_or("")), date);
    else
        header += fmt::format(";\r\n\t{}\r\n", date);
    return header;
}

std::string reply_to_submission(const ipc::SubmitReply& answer)
{
    if (answer.status() == ipc::SUBMIT_OK)
        return fmt::format("250 2.0.0 Ok: queued as {}", answer.queue_id());
    // Only a verdict on the content has words of its own, "550 5.7.1 no ads" or just "no ads"; our own troubles stay
    // bland.
    const std::string& reason = answer.reason();
    if (answer.status() == ipc::SUBMIT_CONTENT && !reason.empty()) {
        if (const auto line = smtp::parse_reply_line(reason); line && line->code >= 400 && line->status)
            return reason;
        const std::string& status = answer.enhanced_status();
        return fmt::format("{} {} {}", status.starts_with('4') ? 450 : 550, status.empty() ? "5.7.1" : status, reason);
    }
    for (const Outcome& outcome : kOutcomes)
        if (outcome.status == answer.status())
            return std::string(outcome.reply);
    return "451 4.3.0 Error: internal error";
}

std::size_t Intake::take(std::string_view bytes)
{
    const std::size_t before = content_.size();
    if (const std::size_t needed = before + bytes.size(); content_.capacity() < needed) {
        // What comes in long pieces is long.
        constexpr std::size_t kLongPiece = 16 << 10;
        const std::size_t likely = begun_ ? kPart + bytes.size() : bytes.size() >= kLongPiece ? 2 * needed : needed;
        content_.reserve(std::max(likely, 2 * content_.capacity()));
    }
    const std::size_t used = decoder_.decode(bytes, content_);
    size_ += content_.size() - before;
    const std::uint64_t limit = context_.settings.message_size_limit;
    if (limit > 0 && size_ > limit && !too_big_) {
        too_big_ = true;
        log::warning("{}: queue file size limit exceeded", facts_.queue_id);
    }
    if (too_big_ || refused_)
        content_.clear(); // read on to the end of the data, keeping nothing
    return used;
}

// Mailbox separators and continuation lines at the start are no headers: the first are renamed, before the second the
// headers end.
void Intake::fix_first_line()
{
    std::size_t at = 0;
    for (;;) {
        const auto text = content_.find_first_not_of('>', at);
        if (text == content_.npos || content_.compare(text, 5, "From ") != 0)
            break;
        constexpr std::string_view kName = "X-Mailbox-Line: ";
        content_.insert(at, kName);
        const auto end = content_.find('\n', at);
        if (end == content_.npos)
            return;
        at = end + 1;
    }
    if (at < content_.size() && (content_[at] == ' ' || content_[at] == '\t'))
        content_.insert(at, "\r\n");
}

ipc::SubmitRequest Intake::make_request(bool last) const
{
    ipc::SubmitRequest request;
    request.set_queue_id(facts_.queue_id);
    std::uint32_t flags = context_.settings.submit_flags | facts_.actions.submit_flags;
    if (transaction_.mail.smtputf8)
        flags |= ipc::submit_flag::smtputf8;
    request.set_flags(flags);
    request.set_last(last);
    std::string prepend;
    for (const std::string& line : facts_.actions.prepend)
        prepend += line + "\r\n";
    request.set_prepend(prepend + received_header(context_.settings, facts_, transaction_));

    queue::Envelope& envelope = *request.mutable_envelope();
    envelope.set_sender(facts_.sender.value_or(""));
    envelope.set_arrival_seconds(transaction_.arrival_seconds);
    envelope.set_arrival_microseconds(transaction_.arrival_microseconds);
    envelope.set_dsn_envid(transaction_.mail.dsn_envid);
    envelope.set_dsn_ret(transaction_.mail.dsn_ret);
    envelope.set_smtputf8(transaction_.mail.smtputf8 ? ipc::smtputf8::requested : 0);
    envelope.set_encoding(transaction_.mail.encoding);
    envelope.set_rewrite_context(facts_.trusted_context ? "local" : "remote");
    envelope.set_redirect(facts_.actions.redirect);
    envelope.set_content_filter(facts_.actions.filter);
    envelope.set_message_class("smtp");
    set_origin(*envelope.mutable_origin(), facts_);
    for (const queue::Recipient& recipient : transaction_.recipients)
        *envelope.add_recipients() = recipient;
    for (const std::string& address : facts_.actions.bcc) {
        queue::Recipient& copy = *envelope.add_recipients();
        copy.set_address(address);
        copy.set_dsn_notify(ipc::notify::never);
    }
    return request;
}

void Intake::note(const std::expected<ipc::SubmitReply, ipc::IpcError>& answer)
{
    if (answer) {
        answer_ = *answer;
    } else {
        log::warning("{}: cleanup service: {}", facts_.queue_id, ipc::to_string(answer.error()));
        answer_.Clear();
        answer_.set_status(ipc::SUBMIT_WRITE);
    }
    if (answer_.status() != ipc::SUBMIT_OK)
        refused_ = answer_;
}

event::Task<void> Intake::send(bool last)
{
    if (!begun_)
        fix_first_line();
    auto content = std::make_shared<const std::string>(std::exchange(content_, {}));
    if (!begun_) {
        begun_ = true;
        const ipc::SubmitRequest request = make_request(last);
        const auto answer = co_await context_.services->submit(request, std::move(content));
        note(answer);
    } else {
        ipc::SubmitChunk chunk;
        chunk.set_queue_id(facts_.queue_id);
        chunk.set_last(last);
        const auto answer = co_await context_.services->submit_chunk(chunk, std::move(content));
        note(answer);
    }
}

event::Task<void> Intake::send_part()
{
    if (!too_big_ && !refused_)
        co_await send(false);
}

event::Task<ipc::SubmitReply> Intake::finish(Finish how)
{
    decoder_.finish(content_);
    if (too_big_) {
        answer_.Clear(); // what cleanup said of earlier parts no longer counts
        answer_.set_status(ipc::SUBMIT_SIZE);
    }
    const bool drop = how == Finish::drop || too_big_;
    if (!drop && !refused_) {
        co_await send(true);
        if (answer_.status() == ipc::SUBMIT_OK && answer_.queue_id().empty())
            answer_.set_queue_id(facts_.queue_id);
    } else if (begun_ && !refused_) {
        ipc::SubmitChunk chunk;
        chunk.set_queue_id(facts_.queue_id);
        chunk.set_abort(true);
        const auto aborted = co_await context_.services->submit_chunk(chunk, {});
        if (!aborted)
            log::warning("{}: cleanup service: {}", facts_.queue_id, ipc::to_string(aborted.error()));
    }
    co_return refused_.value_or(answer_);
}

} // namespace facteur::smtpd
