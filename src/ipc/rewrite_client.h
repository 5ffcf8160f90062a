// Asking trivial-rewrite(8), behind a small cache: a busy session asks about the same few addresses again and again.
//
// Answers live for five seconds, so that a change of tables is seen soon. Answers that say "try later" are not kept.
// What is being asked is not asked twice: a caller that knows its questions early may ask them all and use the answers
// later.
#pragma once

#include "ipc/client.h"
#include "ipc/messages.pb.h"

#include <expected>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

namespace facteur::ipc {

// The youngest answers, by key; the one used longest ago makes room.
class AnswerCache {
public:
    AnswerCache(std::size_t capacity, event::milliseconds lifetime) : capacity_(capacity), lifetime_(lifetime) {}

    // Nothing when absent or too old. Valid until the next put().
    [[nodiscard]] const std::string* get(std::string_view key, event::Clock::time_point now);
    void put(std::string key, std::string value, event::Clock::time_point now);
    [[nodiscard]] std::size_t size() const { return entries_.size(); }

private:
    struct Entry {
        std::string key;
        std::string value;
        event::Clock::time_point expires;
    };
    using Entries = std::list<Entry>; // most recently used first

    std::size_t capacity_;
    event::milliseconds lifetime_;
    Entries entries_;
    std::unordered_map<std::string_view, Entries::iterator> by_key_; // keys live in entries_
};

class RewriteClient {
public:
    // `socket_path`: "private/" + rewrite_service_name.
    explicit RewriteClient(event::Loop& loop, std::string socket_path = "private/rewrite");

    // The completed address, internal form in and out. `context` is "local", "remote" or "invalid"
    // (local_header_rewrite_clients decides).
    event::Task<std::expected<std::string, IpcError>> rewrite(std::string context, std::string address);

    // Transport, nexthop, recipient and flags (ipc/flags.h) of an address in internal form.
    enum class Purpose { deliver, verify }; // verify: the address_verify_* parameters count
    event::Task<std::expected<ResolveReply, IpcError>> resolve(std::string sender, std::string address,
                                                               Purpose purpose = Purpose::deliver);

private:
    struct Question;

    event::Loop& loop_;
    Client client_;
    AnswerCache cache_;
    std::unordered_map<std::string, std::shared_ptr<Question>> open_; // by cache key
};

} // namespace facteur::ipc
