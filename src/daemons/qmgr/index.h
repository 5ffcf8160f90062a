// Every message of the queue, by id, and the times at which the deferred ones are due.
#pragma once

#include "daemons/qmgr/message.h"

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::qmgr {

using MessagePtr = std::shared_ptr<Message>;

class MessageIndex {
public:
    [[nodiscard]] MessagePtr find(std::string_view id) const;
    // Adds a message that is not there yet.
    MessagePtr add(std::string id);
    void erase(const MessagePtr& message);

    // The message is deferred and due at its next_try_seconds.
    void defer(const MessagePtr& message);
    // It is no longer waiting for a time.
    void wake(const MessagePtr& message);
    // The next one due at `now`, taken out of the schedule; nothing when none is.
    [[nodiscard]] MessagePtr take_due(std::int64_t now);
    [[nodiscard]] std::int64_t next_due() const; // seconds since the epoch; the maximum when nothing waits
    void all_due_now(std::int64_t now) { due_by(now); }
    // Nothing waits longer than until `limit`.
    void due_by(std::int64_t limit);

    [[nodiscard]] std::size_t size() const { return messages_.size(); }
    void each(const std::function<void(const MessagePtr&)>& visit) const;
    // A stable walk in pieces: messages after `cursor` (an id), at most `count`. Order: by id.
    [[nodiscard]] std::vector<MessagePtr> page(std::string_view cursor, std::size_t count) const;

private:
    struct ById {
        using is_transparent = void;
        static std::string_view id(const MessagePtr& message) { return message->id; }
        static std::string_view id(std::string_view text) { return text; }
        bool operator()(const auto& a, const auto& b) const { return id(a) < id(b); }
    };
    void put(std::size_t slot, Message* message);
    void sift_up(std::size_t slot);
    void sift_down(std::size_t slot);

    std::set<MessagePtr, ById> messages_;
    std::vector<Message*> schedule_; // a binary heap by next_try_seconds; each message knows its slot
};

} // namespace facteur::qmgr
