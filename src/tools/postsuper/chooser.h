// Whether a message is one of --where's, asking the files and, for its transport, trivial-rewrite.
#pragma once

#include "agent/message_facts.h"
#include "ipc/blocking_channel.h"
#include "queue/selection.h"

#include <optional>
#include <string>
#include <unordered_map>

namespace facteur::postsuper {

class Chooser {
public:
    // `rewrite_socket`: asked only when the selection names transports and the rest does not decide.
    Chooser(const queue::Selection& where, const queue::Spool& spool, std::string rewrite_socket, std::int64_t now)
        : where_(where), facts_(spool, now), rewrite_socket_(std::move(rewrite_socket))
    {
    }

    bool chosen(std::string_view queue, const std::string& id);
    // Messages of which too little was known; they were not chosen.
    [[nodiscard]] std::size_t undecided() const { return undecided_; }

private:
    bool resolve();
    std::optional<std::string> transport_of(const std::string& sender, const std::string& address);

    const queue::Selection& where_;
    agent::MessageFacts facts_;
    std::string rewrite_socket_;
    bool tried_rewrite_ = false;
    std::optional<ipc::BlockingChannel> rewrite_;
    std::unordered_map<std::string, std::string> transports_; // by sender and address
    std::size_t undecided_ = 0;
};

} // namespace facteur::postsuper
