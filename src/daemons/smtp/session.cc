#include "daemons/smtp/session.h"

#include "base/log.h"
#include "base/text.h"

#include <utility>

namespace facteur::smtp_client {

namespace {

constexpr std::size_t kLineLimit = 2048;

Broken from_stream(net::StreamError error)
{
    return error == net::StreamError::timed_out ? Broken::timed_out : Broken::closed;
}

milliseconds until(event::Clock::time_point deadline)
{
    return std::max(milliseconds(1), std::chrono::ceil<milliseconds>(deadline - event::Clock::now()));
}

} // namespace

std::string Peer::name_and_address() const
{
    return fmt::format("{}[{}]", host, address);
}

std::string Peer::relay() const
{
    return port == 0 ? name_and_address() : fmt::format("{}[{}]:{}", host, address, port);
}

Session::Session(net::StreamPtr stream, Peer peer, bool whole_reply_deadline)
    : stream_(std::move(stream)), peer_(std::move(peer)), name_(peer_.name_and_address()), opened_(event::Clock::now()),
      whole_reply_deadline_(whole_reply_deadline)
{
}

// Feeds buffered lines to the parser. Replies that cannot be matched to pipelined commands end the session.
std::optional<Broken> Session::take_lines(ReplyParser& parser, bool& done)
{
    while (const auto line = stream_->take_line(kLineLimit)) {
        // Of a line beyond the limit its first piece counts.
        if (line->ending == net::Stream::Ending::none) {
            if (overlong_.empty())
                overlong_ = line->text;
            continue;
        }
        const std::string kept = std::exchange(overlong_, {});
        const std::string_view text = kept.empty() ? line->text : std::string_view(kept);
        if (log::verbosity() > 0)
            log::debug("< {}: {}", peer_.relay(), text::printable(text.substr(0, 100)));
        if (parser.add(text)) {
            done = true;
            return std::nullopt;
        }
        if (parser.malformed() && server.has(feature::pipelining)) {
            log::warning("{}: non-ESMTP response from {}: {}", queue_id, peer_.relay(),
                         text::printable(text.substr(0, 100)));
            log::warning("to prevent loss of mail, turn off command pipelining for {} with the "
                         "smtp_discard_ehlo_keyword_address_maps parameter",
                         peer_.address);
            return Broken::closed;
        }
    }
    return std::nullopt;
}

event::Task<std::expected<Reply, Broken>> Session::read_reply(milliseconds timeout)
{
    const bool whole = whole_reply_deadline_ && timeout != milliseconds::max();
    const auto deadline = event::Clock::now() + (whole ? timeout : milliseconds(0));
    ReplyParser parser;
    for (bool done = false;;) {
        const auto problem = take_lines(parser, done);
        if (problem)
            co_return std::unexpected(*problem);
        if (done)
            break;
        const auto filled = co_await stream_->fill(whole ? until(deadline) : timeout);
        if (!filled)
            co_return std::unexpected(from_stream(filled.error()));
    }
    Reply reply = parser.take();
    said_goodbye |= reply.code == 421;
    co_return reply;
}

void Session::queue_command(std::string_view line)
{
    if (log::verbosity() > 0)
        log::debug("> {}: {}", peer_.relay(), line);
    stream_->queue(line);
    stream_->queue("\r\n");
}

event::Task<std::expected<void, Broken>> Session::flush(milliseconds timeout)
{
    const auto flushed = co_await stream_->flush(timeout);
    if (!flushed)
        co_return std::unexpected(from_stream(flushed.error()));
    co_return std::expected<void, Broken>{};
}

event::Task<std::expected<void, Broken>> Session::send_file(int file, std::uint64_t offset, std::uint64_t count,
                                                            milliseconds timeout)
{
    const auto sent = co_await stream_->send_file(file, offset, count, timeout);
    if (sent)
        co_return std::expected<void, Broken>{};
    const bool ours = sent.error() == net::StreamError::failed && stream_->last_errno() == EIO;
    co_return std::unexpected(ours ? Broken::local_data : from_stream(sent.error()));
}

bool Session::fit_for_reuse() const
{
    return !said_goodbye && !stream_->dead() && !stream_->maybe_readable() && stream_->buffered().empty() &&
           stream_->queued() == 0;
}

void Session::queue_quit()
{
    if (!std::exchange(quit_said_, true))
        queue_command("QUIT");
}

void Session::leave()
{
    queue_quit();
    stream_->flush_now();
}

} // namespace facteur::smtp_client
