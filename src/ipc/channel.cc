#include "ipc/channel.h"

#include "base/log.h"

#include <google/protobuf/message_lite.h>

#include <bit>
#include <cstring>

namespace facteur::ipc {

namespace {

constexpr std::uint32_t kMagic = 0xFAC7E0F1; // first byte 0xF1: no trigger byte of the old kind looks like it
constexpr std::uint32_t kMaxMessage = 64 << 20;
constexpr std::uint32_t kMaxBlob = 64 << 20;
constexpr std::uint16_t kAnswer = 1;
constexpr std::uint16_t kOneWay = 2;
constexpr std::uint16_t kRefused = 4;
constexpr std::uint16_t kGoodbye = 8;
constexpr std::uint16_t kRepeated = 16;

struct Header {
    std::uint32_t magic;
    std::uint32_t message_size;
    std::uint32_t blob_size;
    std::uint32_t id;
    std::uint16_t method;
    std::uint16_t flags;
    std::uint32_t reserved;
};
static_assert(sizeof(Header) == 24 && std::endian::native == std::endian::little);

} // namespace

std::string_view to_string(IpcError error)
{
    switch (error) {
    case IpcError::unreachable:
        return "service unavailable";
    case IpcError::lost:
        return "connection lost";
    case IpcError::timed_out:
        return "timed out";
    case IpcError::malformed:
        return "malformed answer";
    case IpcError::refused:
        return "request not supported";
    }
    return "unknown error";
}

bool Request::parse(google::protobuf::MessageLite& into) const
{
    return into.ParseFromString(message);
}

// A call that waits: lives in the caller's coroutine frame.
struct Channel::Pending final : event::Waiter {
    Channel& channel;
    std::uint32_t id;
    event::milliseconds timeout;
    std::string message;
    std::string blob;
    std::optional<IpcError> error;

    Pending(Channel& on, std::uint32_t number, event::milliseconds limit) : channel(on), id(number), timeout(limit) {}
    ~Pending() override { channel_forget(); }
    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> handle)
    {
        channel.pending_.emplace(id, this);
        suspend(channel.stream_->loop(), handle, timeout);
    }
    event::Ready await_resume() const { return result_; }
    void detach() override { channel_forget(); }
    void channel_forget()
    {
        if (const auto found = channel.pending_.find(id); found != channel.pending_.end() && found->second == this)
            channel.pending_.erase(found);
    }
};

Channel::Channel(net::StreamPtr stream) : stream_(std::move(stream)), drained_(stream_->loop()) {}

Channel::~Channel()
{
    fail_pending(IpcError::lost);
}

void Channel::put_frame(std::uint16_t flags, std::uint32_t id, Method method,
                        const google::protobuf::MessageLite* message, Blob blob)
{
    if (closed_)
        return;
    Header header{kMagic, 0, static_cast<std::uint32_t>(blob.bytes.size()), id, static_cast<std::uint16_t>(method),
                  flags,  0};
    std::string bytes;
    if (message)
        message->SerializeToString(&bytes);
    header.message_size = static_cast<std::uint32_t>(bytes.size());
    stream_->queue({reinterpret_cast<const char*>(&header), sizeof header});
    stream_->queue(bytes);
    constexpr std::size_t kSmall = 8 << 10; // those rather go with their neighbours
    if (blob.owner && blob.bytes.size() > kSmall)
        stream_->queue(std::move(blob.owner), blob.bytes);
    else
        stream_->queue(blob.bytes);
    if (!draining_)
        stream_->loop().at_turn_end(*this);
}

void Channel::turn_ended()
{
    if (closed_ || draining_)
        return;
    if (!stream_->flush_now()) {
        close();
        return;
    }
    if (stream_->queued() > 0) {
        draining_ = true;
        event::spawn(drain());
    }
}

// The peer is slower than we are: finish writing as its socket takes it.
event::Task<void> Channel::drain()
{
    const auto done = co_await stream_->flush(event::milliseconds(3'600'000));
    draining_ = false;
    if (!done)
        close();
    drained_.notify_all();
}

event::Task<std::expected<void, IpcError>> Channel::call(Method method, const google::protobuf::MessageLite& request,
                                                         google::protobuf::MessageLite& reply, Blob blob,
                                                         event::milliseconds timeout, std::string* reply_blob,
                                                         Asked asked)
{
    if (closed_)
        co_return std::unexpected(IpcError::lost);
    Pending pending(*this, next_id_++, timeout);
    put_frame(asked == Asked::again ? kRepeated : 0, pending.id, method, &request, std::move(blob));
    const event::Ready how = co_await pending;
    pending.channel_forget();
    leave_if_done();
    if (pending.error)
        co_return std::unexpected(*pending.error);
    if (how != event::Ready::ready)
        co_return std::unexpected(how == event::Ready::timed_out ? IpcError::timed_out : IpcError::lost);
    if (!reply.ParseFromString(pending.message))
        co_return std::unexpected(IpcError::malformed);
    if (reply_blob)
        *reply_blob = std::move(pending.blob);
    co_return std::expected<void, IpcError>{};
}

void Channel::send_one_way(Method method, const google::protobuf::MessageLite& request, Blob blob)
{
    put_frame(kOneWay, 0, method, &request, std::move(blob));
}

void Channel::answer(const Request& request, const google::protobuf::MessageLite& reply, Blob blob)
{
    if (!request.one_way)
        put_frame(kAnswer, request.id, request.method, &reply, std::move(blob));
}

void Channel::answer_refused(const Request& request)
{
    if (!request.one_way)
        put_frame(kAnswer | kRefused, request.id, request.method, nullptr, {});
}

void Channel::say_goodbye()
{
    put_frame(kGoodbye, 0, Method{}, nullptr, {});
}

void Channel::release()
{
    --holds_;
    leave_if_done();
}

void Channel::leave_if_done()
{
    if (leaving_ && pending_.empty() && holds_ == 0)
        close();
}

// How long the frame is whose beginning has come. Nothing known: 0.
std::size_t Channel::awaited() const
{
    const std::string_view bytes = stream_->buffered();
    Header header;
    if (bytes.size() < sizeof header)
        return 0;
    std::memcpy(&header, bytes.data(), sizeof header);
    return sizeof header + header.message_size + header.blob_size;
}

bool Channel::take_frame(const OnRequest& on_request)
{
    const std::string_view bytes = stream_->buffered();
    if (bytes.size() < sizeof(Header))
        return false;
    Header header;
    std::memcpy(&header, bytes.data(), sizeof header);
    if (header.magic != kMagic || header.message_size > kMaxMessage || header.blob_size > kMaxBlob) {
        log::warning("unexpected data on an internal connection: closing it");
        bad_ = true;
        return false;
    }
    const std::size_t total = sizeof header + header.message_size + header.blob_size;
    if (bytes.size() < total)
        return false;
    std::string message(bytes.substr(sizeof header, header.message_size));
    std::string frame;
    const std::size_t blob_at = header.blob_size > 0 ? sizeof header + header.message_size : 0;
    if (header.blob_size > 0 && bytes.size() == total) {
        frame = stream_->take_buffered();
    } else {
        if (header.blob_size > 0)
            frame = bytes.substr(0, total);
        stream_->consume(total);
    }
    if (header.flags & kGoodbye) {
        leaving_ = true;
        leave_if_done();
        return true;
    }
    if (header.flags & kAnswer) {
        if (const auto found = pending_.find(header.id); found != pending_.end()) {
            Pending* const pending = found->second;
            if (header.flags & kRefused)
                pending->error = IpcError::refused;
            pending->message = std::move(message);
            pending->blob = frame.substr(blob_at);
            pending->wake(event::Ready::ready);
        }
        return true;
    }
    Request request;
    request.method = static_cast<Method>(header.method);
    request.id = header.id;
    request.one_way = (header.flags & kOneWay) != 0;
    request.repeated = (header.flags & kRepeated) != 0;
    request.message = std::move(message);
    request.frame = std::move(frame);
    request.blob_at = blob_at;
    on_request(std::move(request));
    return true;
}

event::Task<void> Channel::run(OnRequest on_request)
{
    while (!closed_ && !bad_) {
        while (!closed_ && take_frame(on_request)) {
        }
        if (bad_ || closed_)
            break;
        const auto filled = co_await stream_->fill(event::kForever, awaited());
        if (!filled)
            break;
    }
    closed_ = true;
    fail_pending(IpcError::lost);
    // A drain in progress borrows this object: let it end first.
    stream_->cancel();
    while (draining_)
        co_await drained_.wait();
}

void Channel::close()
{
    if (closed_)
        return;
    closed_ = true;
    fail_pending(IpcError::lost);
    stream_->cancel();
}

void Channel::fail_pending(IpcError why)
{
    while (!pending_.empty()) {
        Pending* const pending = pending_.begin()->second;
        pending->error = why;
        pending->wake(event::Ready::ready);
    }
}

} // namespace facteur::ipc
