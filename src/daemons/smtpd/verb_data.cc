// DATA and BDAT: the content.
#include "base/log.h"
#include "daemons/smtpd/intake.h"
#include "daemons/smtpd/verbs.h"
#include "ipc/flags.h"
#include "smtp/ehlo.h"

namespace facteur::smtpd {

namespace {

using Chunks = Transaction::Chunks;
using smtp::DataDecoder;

bool excluded_from_newline_rules(const Session& session)
{
    return Context::matches(session.context.lists->bare_newline_exclusions, session.facts.client);
}

DataDecoder::EndOfData end_of_data_rule(const Session& session)
{
    const bool lenient = session.settings().bare_newline == BareNewline::accept || excluded_from_newline_rules(session);
    return lenient ? DataDecoder::EndOfData::any_line_end : DataDecoder::EndOfData::standard;
}

void begin_intake(Session& session, DataDecoder::Mode mode)
{
    session.transaction.intake =
        std::make_unique<Intake>(session.context, session.facts, session.transaction, mode, end_of_data_rule(session));
}

// What stands against the content before cleanup hears of it; nothing when all is well.
event::Task<std::optional<std::string>> refused_at_end(Session& session)
{
    const Intake& intake = *session.transaction.intake;
    const Settings& settings = session.settings();
    if (intake.saw_bare_newline() && !excluded_from_newline_rules(session)) {
        if (settings.bare_newline == BareNewline::note)
            session.judge.log_action("info", "bare <LF> received");
        if (settings.bare_newline == BareNewline::reject) {
            session.judge.log_action("reject", "bare <LF> received");
            co_return fmt::format("{} 5.5.2 {} Error: bare <LF> received", settings.bare_newline_reject_code,
                                  settings.myhostname);
        }
    }
    if (session.context.standalone)
        co_return std::nullopt;
    std::optional<std::string> refused = co_await session.judge.end_of_data();
    co_return std::move(refused);
}

// All content is here: hand the rest to cleanup and tell the client.
event::Task<Outcome> end_message(Session& session)
{
    session.facts.where = stage::end_of_message;
    const auto refused = co_await refused_at_end(session);
    Intake& intake = *session.transaction.intake;
    const auto how = refused ? Intake::Finish::drop : Intake::Finish::keep;
    ipc::SubmitReply answer = co_await intake.finish(how);
    const bool stored = !refused && answer.status() == ipc::SUBMIT_OK;
    if (stored)
        session.forgive();
    const std::string text = refused ? *refused : reply_to_submission(answer);
    session.reply(text);
    session.reset_transaction();
    co_return stored ? Outcome::ok : Outcome::error;
}

std::optional<std::string> not_ready_for_content(const Session& session)
{
    if (!session.transaction.recipients.empty())
        return std::nullopt;
    return session.transaction.open ? "554 5.5.1 Error: no valid recipients" : "503 5.5.1 Error: need RCPT command";
}

// Reads a chunk and throws it away. False when the client left.
event::Task<bool> skip_chunk(Session& session, std::uint64_t size)
{
    while (size > 0) {
        const std::string_view bytes = co_await session.content();
        if (bytes.empty())
            co_return false;
        const auto used = std::min<std::uint64_t>(bytes.size(), size);
        session.consume(used);
        size -= used;
    }
    co_return true;
}

event::Task<Outcome> refuse_chunk(Session& session, smtp::Chunk chunk, std::string text)
{
    session.transaction.chunks = Chunks::refused;
    if (session.transaction.intake) {
        [[maybe_unused]] const auto dropped = co_await session.transaction.intake->finish(Intake::Finish::drop);
        session.transaction.intake.reset();
    }
    const bool skipped = co_await skip_chunk(session, chunk.size);
    if (skipped)
        session.reply(text);
    if (chunk.last)
        session.reset_transaction();
    co_return Outcome::error;
}

// Why a chunk cannot be taken.
event::Task<std::optional<std::string>> chunk_refused(Session& session, smtp::Chunk chunk)
{
    const Settings& settings = session.settings();
    const Transaction& transaction = session.transaction;
    const std::string& id = session.facts.queue_id.empty() ? std::string("NOQUEUE") : session.facts.queue_id;
    const std::uint64_t received = transaction.intake ? transaction.intake->size() : 0;
    if (settings.message_size_limit > 0 && chunk.size + received > settings.message_size_limit) {
        log::warning("{}: BDAT request from {} exceeds message size limit", id, session.facts.client.shown);
        co_return "552 5.3.4 Chunk exceeds message size limit";
    }
    if (chunk.size == 0 && !chunk.last && transaction.chunks != Chunks::refused) {
        log::warning("{}: null BDAT request from {}", id, session.facts.client.shown);
        co_return "551 5.7.1 Null BDAT request";
    }
    if (transaction.chunks == Chunks::refused)
        co_return fmt::format("551 5.0.0 Discarded {} bytes after earlier error", chunk.size);
    if (auto not_ready = not_ready_for_content(session))
        co_return std::move(not_ready);
    if (transaction.chunks == Chunks::none && !session.context.standalone) {
        std::optional<std::string> refused = co_await session.judge.data();
        co_return std::move(refused);
    }
    co_return std::nullopt;
}

// The chunk's bytes through the decoder. False when the client left.
event::Task<bool> receive_chunk(Session& session, std::uint64_t size)
{
    Intake& intake = *session.transaction.intake;
    while (size > 0) {
        const std::string_view bytes = co_await session.content();
        if (bytes.empty())
            co_return false;
        const std::string_view mine = bytes.substr(0, std::min<std::uint64_t>(bytes.size(), size));
        intake.take(mine);
        session.consume(mine.size());
        size -= mine.size();
        session.count_content(intake.size());
        if (intake.part_ready())
            co_await intake.send_part();
    }
    co_return true;
}

} // namespace

event::Task<Outcome> verb::data(Session& session, const Words& words)
{
    if (session.transaction.chunks != Chunks::none)
        co_return session.refuse("503 5.5.1 Error: DATA after BDAT");
    if (const auto refused = not_ready_for_content(session))
        co_return session.refuse(*refused);
    if (words.size() != 1)
        co_return session.refuse("501 5.5.4 Syntax: DATA");
    if (!session.context.standalone) {
        const auto refused = co_await session.judge.data();
        if (refused)
            co_return session.refuse(*refused);
    }
    session.reply("354 End data with <CR><LF>.<CR><LF>");
    session.facts.where = stage::after_data;
    begin_intake(session, DataDecoder::Mode::data);
    Intake& intake = *session.transaction.intake;
    while (!intake.ended()) {
        const std::string_view bytes = co_await session.content();
        if (bytes.empty())
            co_return Outcome::error;
        const std::size_t used = intake.take(bytes);
        session.consume(used);
        session.count_content(intake.size());
        if (intake.part_ready() && !intake.ended())
            co_await intake.send_part();
    }
    const Outcome outcome = co_await end_message(session);
    co_return outcome;
}

event::Task<Outcome> verb::bdat(Session& session, const Words& words)
{
    // What follows a BDAT that cannot be understood is content of unknown length: only hanging up is safe.
    if (!session.offers(smtp::ehlo::chunking))
        co_return session.refuse("521 5.5.1 Error: command not implemented");
    const auto chunk = smtp::parse_bdat(words);
    if (!chunk)
        co_return session.refuse("521 5.5.4 Syntax: BDAT count [LAST]");
    session.facts.where = stage::after_bdat;
    const auto refused = co_await chunk_refused(session, *chunk);
    if (refused) {
        const Outcome outcome = co_await refuse_chunk(session, *chunk, *refused);
        co_return outcome;
    }
    if (!session.transaction.intake)
        begin_intake(session, DataDecoder::Mode::chunk);
    session.transaction.chunks = Chunks::received;
    const bool received = co_await receive_chunk(session, chunk->size);
    if (!received)
        co_return Outcome::error;
    if (!chunk->last) {
        session.reply(fmt::format("250 2.0.0 Ok: {} bytes", chunk->size));
        co_return Outcome::ok;
    }
    const Outcome outcome = co_await end_message(session);
    co_return outcome;
}

} // namespace facteur::smtpd
