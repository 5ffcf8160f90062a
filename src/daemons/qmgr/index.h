// Every message of the queue, by id, and the times at which the deferred ones are due.
#pragma once

#include "daemons/qmgr/message.h"

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

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
    void all_due_now(std::int64_t now);

    [[nodiscard]] std::size_t size() const { return messages_.size(); }
    void each(const std::function<void(const MessagePtr&)>& visit) const;
    // A stable walk in pieces: messages after `cursor` (an id), at most `count`. Order: by id.
    [[nodiscard]] std::vector<MessagePtr> page(std::string_view cursor, std::size_t count) const;

private:
    std::map<std::string_view, MessagePtr> messages_; // keys live in the messages
    std::set<std::pair<std::int64_t, Message*>> schedule_;
};

} // namespace facteur::qmgr
