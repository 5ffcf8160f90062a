// The asking side of a service: connects on first use, reconnects after a loss, shares one stream among all callers.
#pragma once

#include "ipc/channel.h"

#include <memory>
#include <string>

namespace facteur::ipc {

class Client {
public:
    // `socket_path`: "private/rewrite", relative to the queue directory where every daemon runs.
    Client(event::Loop& loop, std::string socket_path);
    ~Client();
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    // A call whose stream is lost before the answer is repeated on a new stream, `Attempts` times in all, a second
    // apart: master may be restarting the service. Use once for requests that must not happen twice.
    enum class Repeat { never, until_answered };
    event::Task<std::expected<void, IpcError>> call(Method method, const google::protobuf::MessageLite& request,
                                                    google::protobuf::MessageLite& reply, Blob blob = {},
                                                    Repeat repeat = Repeat::until_answered,
                                                    event::milliseconds timeout = event::milliseconds(3'600'000),
                                                    std::string* reply_blob = nullptr);
    // Requests that must all reach the same process: they go over the lease's channel, which stays open until the lease
    // ends, even when its process is being replaced. Calls on it are not repeated.
    class Lease {
    public:
        explicit Lease(std::shared_ptr<Channel> channel) : channel_(std::move(channel)) { channel_->hold(); }
        ~Lease()
        {
            if (channel_)
                channel_->release();
        }
        Lease(Lease&&) noexcept = default;
        Lease& operator=(Lease&&) = delete;
        Channel* operator->() const { return channel_.get(); }

    private:
        std::shared_ptr<Channel> channel_;
    };
    event::Task<std::expected<Lease, IpcError>> lease();
    // Best effort: lost when nobody listens. False when it could not even be queued.
    event::Task<bool> send_one_way(Method method, const google::protobuf::MessageLite& request, Blob blob = {});

    [[nodiscard]] const std::string& socket_path() const { return path_; }

private:
    event::Task<std::shared_ptr<Channel>> connected();
    static event::Task<void> read(std::shared_ptr<Channel> channel);

    event::Loop& loop_;
    std::string path_;
    std::shared_ptr<Channel> channel_;
    bool connecting_ = false;
    event::Condition connect_done_;
};

// A legacy trigger: connects, writes the bytes ("W", "D", ...), closes. As postkick(1) does.
event::Task<bool> trigger(event::Loop& loop, std::string socket_path, std::string bytes);

} // namespace facteur::ipc
