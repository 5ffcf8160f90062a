#include "ipc/client.h"

#include <google/protobuf/message_lite.h>

namespace facteur::ipc {

namespace {
constexpr int kAttempts = 10;
constexpr event::milliseconds kPause{1000};
constexpr event::milliseconds kConnectTimeout{30'000};
} // namespace

Client::Client(event::Loop& loop, std::string socket_path)
    : loop_(loop), path_(std::move(socket_path)), connect_done_(loop)
{
}

Client::~Client()
{
    if (channel_)
        channel_->close();
}

event::Task<void> Client::read(std::shared_ptr<Channel> channel)
{
    co_await channel->run([](Request) {}); // services do not ask their clients
}

event::Task<std::shared_ptr<Channel>> Client::connected()
{
    while (connecting_)
        co_await connect_done_.wait();
    if (channel_ && channel_->accepts_calls())
        co_return channel_;
    channel_.reset();
    const auto address = net::SocketAddress::unix_path(path_);
    if (!address)
        co_return nullptr;
    connecting_ = true;
    auto stream = co_await net::connect(loop_, *address, std::nullopt, kConnectTimeout);
    connecting_ = false;
    if (stream) {
        channel_ = std::make_shared<Channel>(std::move(*stream));
        event::spawn(read(channel_));
    }
    auto result = channel_;
    connect_done_.notify_all();
    co_return result;
}

event::Task<std::expected<void, IpcError>> Client::call(Method method, const google::protobuf::MessageLite& request,
                                                        google::protobuf::MessageLite& reply, Blob blob, Repeat repeat,
                                                        event::milliseconds timeout, std::string* reply_blob)
{
    IpcError error = IpcError::unreachable;
    auto asked = Channel::Asked::first;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
        if (attempt > 0)
            co_await loop_.sleep(kPause);
        const auto channel = co_await connected();
        if (!channel) {
            error = IpcError::unreachable;
            continue; // nothing was sent: trying again is safe for any request
        }
        const auto done = co_await channel->call(method, request, reply, blob, timeout, reply_blob, asked);
        if (done)
            co_return done;
        asked = Channel::Asked::again;
        error = done.error();
        if (error != IpcError::lost || repeat == Repeat::never)
            break;
    }
    co_return std::unexpected(error);
}

event::Task<std::expected<Client::Lease, IpcError>> Client::lease()
{
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
        if (attempt > 0)
            co_await loop_.sleep(kPause);
        auto channel = co_await connected();
        if (channel) {
            Lease held(std::move(channel));
            co_return held;
        }
    }
    co_return std::unexpected(IpcError::unreachable);
}

event::Task<bool> Client::send_one_way(Method method, const google::protobuf::MessageLite& request, Blob blob)
{
    const auto channel = co_await connected();
    if (!channel)
        co_return false;
    channel->send_one_way(method, request, std::move(blob));
    co_return true;
}

event::Task<bool> trigger(event::Loop& loop, std::string socket_path, std::string bytes)
{
    const auto address = net::SocketAddress::unix_path(socket_path);
    if (!address)
        co_return false;
    auto stream = co_await net::connect(loop, *address, std::nullopt, kConnectTimeout);
    if (!stream)
        co_return false;
    (*stream)->queue(bytes);
    const auto sent = co_await (*stream)->flush(kConnectTimeout);
    co_return sent.has_value();
}

} // namespace facteur::ipc
