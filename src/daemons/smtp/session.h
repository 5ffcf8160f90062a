// One connection to a server: who it is, what it can, and the reading and writing of whole replies and commands.
#pragma once

#include "daemons/smtp/ehlo.h"
#include "daemons/smtp/server_reply.h"
#include "daemons/smtp/settings.h"
#include "daemons/smtp/trouble.h"
#include "net/stream.h"

#include <expected>
#include <memory>
#include <string>
#include <string_view>

namespace facteur::smtp_client {

// Who is at the other end.
struct Peer {
    std::string host;    // MX host or the name that was looked up; our own name for a unix socket
    std::string address; // numeric, or the socket's path
    std::uint16_t port = 0;

    [[nodiscard]] std::string name_and_address() const; // "mx.example.com[192.0.2.1]"
    [[nodiscard]] std::string relay() const;            // the same with ":25" for TCP
};

class Session {
public:
    Session(net::StreamPtr stream, Peer peer, bool whole_reply_deadline);

    // Waits `timeout` for each piece of the reply, or for the whole of it under smtp_per_request_deadline.
    event::Task<std::expected<Reply, Broken>> read_reply(milliseconds timeout);
    // The line without its end; leaves with the next flush().
    void queue_command(std::string_view line);
    void queue(std::string_view bytes) { stream_->queue(bytes); }
    void queue(std::shared_ptr<const std::string> owner, std::string_view bytes)
    {
        stream_->queue(std::move(owner), bytes);
    }
    event::Task<std::expected<void, Broken>> flush(milliseconds timeout);
    event::Task<std::expected<void, Broken>> send_file(int file, std::uint64_t offset, std::uint64_t count,
                                                       milliseconds timeout);

    // False when the peer closed or spoke while nobody asked it anything: not fit for another message.
    [[nodiscard]] bool fit_for_reuse() const;
    // QUIT, unless it was said; leaves with the next flush().
    void queue_quit();
    // The same without waiting for anything.
    void leave();

    [[nodiscard]] const Peer& peer() const { return peer_; }
    [[nodiscard]] const std::string& name() const { return name_; } // Peer::name_and_address()
    [[nodiscard]] event::Loop& loop() const { return stream_->loop(); }
    [[nodiscard]] event::Clock::time_point opened() const { return opened_; }

    std::string queue_id; // of the message at hand, for log lines
    ServerFeatures server;
    std::uint32_t pix_workarounds = 0;
    int uses = 0;              // messages so far
    bool reused = false;       // serves a further message now, and that one got no answer yet
    bool said_goodbye = false; // 421: it closes
    bool last_message = false; // nothing else will be sent: QUIT may go with its end

private:
    [[nodiscard]] std::optional<Broken> take_lines(ReplyParser& parser, bool& done);

    net::StreamPtr stream_;
    Peer peer_;
    std::string name_;
    std::string overlong_; // the start of a line that goes on
    event::Clock::time_point opened_;
    bool whole_reply_deadline_;
    bool quit_said_ = false;
};

using SessionPtr = std::unique_ptr<Session>;

} // namespace facteur::smtp_client
