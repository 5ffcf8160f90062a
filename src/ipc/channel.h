// One Unix stream between two daemons, many requests in flight. Framing: docs/formats/ipc.md.
//
// A frame is a 24-byte header, a protobuf message and, beside it, an optional blob (message content, untouched).
// Frames queued during a turn of the loop leave in one write at its end. The peer is not trusted: sizes are bounded,
// a malformed frame closes the stream.
#pragma once

#include "event/loop.h"
#include "net/stream.h"

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

namespace google::protobuf {
class MessageLite;
}

namespace facteur::ipc {

enum class Method : std::uint16_t {
    rewrite = 1,
    resolve,
    submit = 16,
    submit_chunk,
    arrived = 32,
    queue_change,
    list,
    explain,
    deliver = 48,
    bounce_append = 64,
    bounce_flush,
    flush = 80,
    anvil = 96,
    table_lookup = 112,
    log = 128,
};

enum class IpcError {
    unreachable, // no such socket, nobody listens
    lost,        // the stream ended before the answer came
    timed_out,
    malformed, // the answer does not parse
    refused,   // the peer does not know the method
};
std::string_view to_string(IpcError error);

// Bytes beside a message. They are copied; those that have an owner are sent from where they are.
struct Blob {
    Blob() = default;
    Blob(std::string_view copied) : bytes(copied) {}
    Blob(const std::string& copied) : bytes(copied) {}
    Blob(std::shared_ptr<const std::string> kept) : owner(std::move(kept))
    {
        if (owner)
            bytes = *owner;
    }
    std::shared_ptr<const std::string> owner;
    std::string_view bytes;
};

class Channel;

// One request as the serving side gets it. Answer exactly once unless one_way.
class Request {
public:
    Method method{};
    std::uint32_t id = 0;
    bool one_way = false;
    bool repeated = false; // the asker lost an earlier stream before the answer came: this may have been done already
    std::string message;   // protobuf bytes
    [[nodiscard]] std::string_view blob() const { return std::string_view(frame).substr(blob_at); }
    std::string frame; // as it came, where there is a blob
    std::size_t blob_at = 0;

    // False when the bytes are not such a message.
    [[nodiscard]] bool parse(google::protobuf::MessageLite& into) const;
};

class Channel final : private event::TurnEnd {
public:
    explicit Channel(net::StreamPtr stream);
    ~Channel() override;

    // Sends and waits for the answer into `reply`. The reply's blob, if any, goes to *reply_blob.
    enum class Asked { first, again }; // see Request::repeated
    event::Task<std::expected<void, IpcError>> call(Method method, const google::protobuf::MessageLite& request,
                                                    google::protobuf::MessageLite& reply, Blob blob = {},
                                                    event::milliseconds timeout = event::milliseconds(3'600'000),
                                                    std::string* reply_blob = nullptr, Asked asked = Asked::first);
    void send_one_way(Method method, const google::protobuf::MessageLite& request, Blob blob = {});
    void answer(const Request& request, const google::protobuf::MessageLite& reply, Blob blob = {});
    void answer_refused(const Request& request);

    // Reads until the stream ends or turns bad; answers to our calls are matched inside, each request goes to
    // `on_request`. Calls in flight then fail with IpcError::lost. Run it exactly once.
    using OnRequest = std::function<void(Request)>;
    event::Task<void> run(OnRequest on_request);

    void close(); // ends run()
    [[nodiscard]] bool open() const { return !closed_; }

    // --- ending without loss ---
    // The serving side asks its peer to leave: what was asked is still answered, new questions go elsewhere. The peer
    // closes the stream when its last call is answered and nobody holds it.
    void say_goodbye();
    [[nodiscard]] bool accepts_calls() const { return !closed_ && !leaving_; }
    // Requests that belong together must reach the same process: as long as it is held, a channel that was told to
    // leave stays open.
    void hold() { ++holds_; }
    void release();
    [[nodiscard]] std::size_t calls_in_flight() const { return pending_.size(); }
    [[nodiscard]] std::size_t unsent() const { return stream_->queued(); }
    [[nodiscard]] net::Stream& stream() { return *stream_; }

private:
    struct Pending;
    void turn_ended() override;
    event::Task<void> drain();
    void put_frame(std::uint16_t flags, std::uint32_t id, Method method, const google::protobuf::MessageLite* message,
                   Blob blob);
    bool take_frame(const OnRequest& on_request); // false: not enough bytes yet
    [[nodiscard]] std::size_t awaited() const;
    void fail_pending(IpcError why);
    void leave_if_done();

    net::StreamPtr stream_;
    std::unordered_map<std::uint32_t, Pending*> pending_;
    std::uint32_t next_id_ = 1;
    bool closed_ = false;
    bool bad_ = false;
    bool draining_ = false;
    bool leaving_ = false; // the peer said goodbye
    int holds_ = 0;
    event::Condition drained_;
};

} // namespace facteur::ipc
