#include "ipc/blocking_channel.h"

#include "ipc/messages.pb.h"

#include <sys/socket.h>

#include <cerrno>

namespace facteur::ipc {

namespace {

event::Task<void> read(std::shared_ptr<Channel> channel)
{
    co_await channel->run([](Request) {}); // services do not ask their clients
}

struct Call {
    Method method;
    const google::protobuf::MessageLite& request;
    google::protobuf::MessageLite& reply;
    event::milliseconds timeout;
    std::string* reply_blob;
    std::expected<void, IpcError> outcome{};
};

event::Task<void> perform(std::shared_ptr<Channel> channel, Call& call)
{
    call.outcome = co_await channel->call(call.method, call.request, call.reply, {}, call.timeout, call.reply_blob);
}

} // namespace

struct BlockingChannel::Begun {
    explicit Begun(event::Loop& loop) : fewer(loop) {}
    std::size_t open = 0;
    std::expected<void, IpcError> outcome;
    event::Condition fewer;

    // The request is sent before the first wait, so it need not outlive that.
    static event::Task<void> perform(std::shared_ptr<Channel> channel, Method method,
                                     const google::protobuf::MessageLite& request, std::shared_ptr<Begun> begun)
    {
        Nothing reply;
        const auto done = co_await channel->call(method, request, reply);
        if (!done && begun->outcome)
            begun->outcome = done;
        --begun->open;
        begun->fewer.notify_all();
    }
    static event::Task<void> until_at_most(std::size_t count, std::shared_ptr<Begun> begun)
    {
        while (begun->open > count)
            co_await begun->fewer.wait();
    }
};

std::expected<BlockingChannel, SystemError> BlockingChannel::connect(const std::string& socket_path)
{
    const auto address = net::SocketAddress::unix_path(socket_path);
    if (!address)
        return std::unexpected(SystemError{"connect to", socket_path, ENAMETOOLONG});
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd || ::connect(fd.get(), address->get(), address->length()) != 0)
        return std::unexpected(SystemError::last("connect to", socket_path));
    return BlockingChannel(std::move(fd));
}

BlockingChannel::BlockingChannel(UniqueFd connected) : loop_(std::make_unique<event::Loop>())
{
    set_nonblocking(connected.get());
    channel_ = std::make_shared<Channel>(std::make_unique<net::Stream>(*loop_, std::move(connected)));
    event::spawn(read(channel_));
    begun_ = std::make_shared<Begun>(*loop_);
}

BlockingChannel::BlockingChannel(BlockingChannel&&) noexcept = default;

BlockingChannel::~BlockingChannel()
{
    if (channel_)
        channel_->close();
}

std::expected<void, IpcError> BlockingChannel::call(Method method, const google::protobuf::MessageLite& request,
                                                    google::protobuf::MessageLite& reply, event::milliseconds timeout,
                                                    std::string* reply_blob)
{
    Call call{method, request, reply, timeout, reply_blob};
    loop_->run_until_done(perform(channel_, call));
    return call.outcome;
}

void BlockingChannel::begin(Method method, const google::protobuf::MessageLite& request, std::size_t most)
{
    ++begun_->open;
    event::spawn(Begun::perform(channel_, method, request, begun_));
    loop_->run_until_done(Begun::until_at_most(most, begun_));
}

std::expected<void, IpcError> BlockingChannel::finish()
{
    loop_->run_until_done(Begun::until_at_most(0, begun_));
    return begun_->outcome;
}

} // namespace facteur::ipc
