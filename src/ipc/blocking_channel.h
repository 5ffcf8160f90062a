// The asking side for command-line tools: one connection, no retries. A request at a time, or several on their way
// while the tool works on.
#pragma once

#include "base/error.h"
#include "base/fd.h"
#include "ipc/channel.h"

#include <expected>
#include <memory>
#include <string>

namespace facteur::ipc {

class BlockingChannel {
public:
    // `socket_path` as connect(2) takes it: relative to the queue directory for a tool that went there.
    static std::expected<BlockingChannel, SystemError> connect(const std::string& socket_path);
    explicit BlockingChannel(UniqueFd connected);
    BlockingChannel(BlockingChannel&&) noexcept;
    BlockingChannel& operator=(BlockingChannel&&) = delete;
    ~BlockingChannel();

    std::expected<void, IpcError> call(Method method, const google::protobuf::MessageLite& request,
                                       google::protobuf::MessageLite& reply,
                                       event::milliseconds timeout = event::milliseconds(3'600'000),
                                       std::string* reply_blob = nullptr);

    // Asks for something whose answer says nothing but that it was done, and does not wait for it unless `most` are
    // under way already.
    void begin(Method method, const google::protobuf::MessageLite& request, std::size_t most);
    // Waits until all that was begun is done. The first failure, if there was one.
    std::expected<void, IpcError> finish();

private:
    struct Begun;
    std::unique_ptr<event::Loop> loop_;
    std::shared_ptr<Channel> channel_;
    std::shared_ptr<Begun> begun_;
};

} // namespace facteur::ipc
