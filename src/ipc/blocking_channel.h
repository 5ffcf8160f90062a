// The asking side for command-line tools: one connection, one request at a time, no retries.
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

private:
    std::unique_ptr<event::Loop> loop_;
    std::shared_ptr<Channel> channel_;
};

} // namespace facteur::ipc
