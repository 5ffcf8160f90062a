// Every message of the queue, by id, and the times at which the deferred ones are due.
#pragma once

#include "daemons/qmgr/message.h"

#include <functional>
#include <memory>
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

    [[nodiscard]] std::size_t size() const { return size_; }
    void each(const std::function<void(const MessagePtr&)>& visit) const;
    // Messages after `cursor` (an id), in the order of their ids, until `visit` returns false. So a walk in pieces
    // meets each message once, whatever comes and goes meanwhile.
    void walk(std::string_view cursor, const std::function<bool(const MessagePtr&)>& visit) const;

private:
    // Messages in the order of their ids, cut into shelves that are never empty: a million messages need no node each,
    // and one that comes or goes moves few others.
    using Shelf = std::vector<MessagePtr>;
    struct Spot {
        std::size_t shelf;
        std::size_t number;
    };
    // Where the first message stands whose id is not below this one; may be one past the end of its shelf.
    [[nodiscard]] Spot spot_of(std::string_view id) const;
    void split(std::size_t shelf);
    void join_with_next(std::size_t shelf);
    void put(std::size_t slot, Message* message);
    void sift_up(std::size_t slot);
    void sift_down(std::size_t slot);

    std::vector<Shelf> shelves_;
    std::size_t size_ = 0;
    std::vector<Message*> schedule_; // a binary heap by next_try_seconds; each message knows its slot
};

} // namespace facteur::qmgr
