// A connected byte stream with buffers, for line protocols and framed ones alike.
//
// Reading: take_line()/take() serve what is buffered without suspending; fill() waits for more. No read buffer is held
// while the stream is idle and empty. Writing: queue() gathers, flush() writes. TLS will stand behind the same class.
#pragma once

#include "base/fd.h"
#include "event/loop.h"
#include "net/address.h"
#include "net/output_queue.h"

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace facteur::net {

using event::milliseconds;

enum class StreamError {
    closed, // end of file while reading, or the peer is gone while writing
    timed_out,
    failed,    // errno in Stream::last_errno()
    cancelled, // Stream::cancel()
};

class Stream {
public:
    Stream(event::Loop& loop, UniqueFd fd, event::Watch::Begins begins = event::Watch::Begins::connected);
    ~Stream();
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    // --- reading ---
    // A buffered line without its LF or CRLF. `ending` tells what ended it. Lines longer than `limit` come in pieces of
    // `limit` bytes with Ending::none. The view is valid until the next fill() or take*().
    enum class Ending { none, lf, crlf };
    struct Line {
        std::string_view text;
        Ending ending = Ending::none;
    };
    [[nodiscard]] std::optional<Line> take_line(std::size_t limit);
    [[nodiscard]] std::string_view buffered() const
    {
        return lent_.empty() ? std::string_view(input_).substr(consumed_) : lent_;
    }
    void consume(std::size_t count);
    // Reads once; at least one byte arrived when it succeeds. When more than a little is `awaited` in the buffer,
    // memory is reserved for that and no byte beyond it is read.
    event::Task<std::expected<void, StreamError>> fill(milliseconds timeout, std::size_t awaited = 0);
    // As fill() when nothing is buffered, for bytes that are used at once: they stand where all streams of the thread
    // read, and are not copied. Views of them end when anything is awaited; what is not consumed by then is kept.
    event::Task<std::expected<void, StreamError>> fill_lent(milliseconds timeout);
    // All that is buffered, consumed.
    std::string take_buffered();

    // --- writing ---
    void queue(std::string_view bytes) { output_.append(bytes); }
    // Without a copy: `bytes` are a part of *owner.
    void queue(std::shared_ptr<const std::string> owner, std::string_view bytes)
    {
        output_.append(std::move(owner), bytes);
    }
    [[nodiscard]] std::size_t queued() const { return output_.size(); }
    // Writes everything queued.
    event::Task<std::expected<void, StreamError>> flush(milliseconds timeout);
    // Writes what is queued, then `count` bytes of a file from `offset` by sendfile(2), without copying.
    event::Task<std::expected<void, StreamError>> send_file(int file, std::uint64_t offset, std::uint64_t count,
                                                            milliseconds timeout);
    // Writes what the kernel takes now, without waiting. False when the peer is gone.
    bool flush_now();

    // Wakes whoever waits here with StreamError::cancelled.
    void cancel() { watch_.cancel(); }
    void shutdown_write();
    [[nodiscard]] int fd() const { return fd_.get(); }
    [[nodiscard]] int last_errno() const { return errno_; }
    [[nodiscard]] event::Loop& loop() const { return watch_.loop(); }
    [[nodiscard]] SocketAddress peer() const;
    [[nodiscard]] SocketAddress local() const;
    // After a connect(2) that goes on: waits for its end. 0 or an errno.
    event::Task<int> connected(milliseconds timeout);
    // True when the peer closed or reset an idle connection (checked without waiting).
    [[nodiscard]] bool dead() const { return watch_.hung_up(); }
    // True when something may wait to be read: on an idle connection, that the peer spoke unasked or closed.
    [[nodiscard]] bool maybe_readable() const { return watch_.maybe_readable(); }

private:
    std::expected<std::size_t, StreamError> write_some();
    enum class Into { own, lent };
    event::Task<std::expected<void, StreamError>> read(milliseconds timeout, std::size_t awaited, Into where);
    ssize_t read_some(std::size_t awaited, Into where);
    void keep_lent();
    UniqueFd fd_;
    event::Watch watch_;
    std::string input_;
    std::size_t consumed_ = 0;
    std::string_view lent_; // of the thread's buffer; input_ is empty then
    OutputQueue output_;
    int errno_ = 0;
};

using StreamPtr = std::unique_ptr<Stream>;

// Connects, from `source` when given. SystemError{"connect", peer text, errno}; ETIMEDOUT after `timeout`.
event::Task<std::expected<StreamPtr, SystemError>> connect(event::Loop& loop, SocketAddress peer,
                                                           std::optional<SocketAddress> source, milliseconds timeout);

// Binds and listens, non-blocking. For unix sockets a stale file of the same name is removed first.
std::expected<UniqueFd, SystemError> listen_on(const SocketAddress& address, int backlog);

// Accepts one connection when there is one; nothing when there is none now.
struct Accepted {
    UniqueFd fd;
    SocketAddress peer;
};
std::expected<std::optional<Accepted>, SystemError> accept_now(int listener);

} // namespace facteur::net
