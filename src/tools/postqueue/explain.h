// postqueue --explain: what happened to a message, why it waits and when it is tried next, for people and as JSON.
#pragma once

#include "ipc/messages.pb.h"

#include <cstdint>
#include <string>

namespace facteur::postqueue {

// What the configuration says beside the message.
struct Lifetimes {
    std::int64_t queue_seconds = 432000;  // maximal_queue_lifetime
    std::int64_t bounce_seconds = 432000; // bounce_queue_lifetime, of mail without a sender
};

// When it is given up and returned, in seconds since the epoch.
std::int64_t given_up_at(const ipc::ExplainReply& message, const Lifetimes& lifetimes);
// One sentence: what the message waits for.
std::string why_it_waits(const ipc::ExplainReply& message, const Lifetimes& lifetimes, std::int64_t now);

// Ends with LF; times in the local zone.
std::string explain_text(const ipc::ExplainReply& message, const Lifetimes& lifetimes, std::int64_t now);
std::string explain_json(const ipc::ExplainReply& message, const Lifetimes& lifetimes, std::int64_t now); // one line

} // namespace facteur::postqueue
