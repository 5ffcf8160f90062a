#include "daemons/qmgr/index.h"

#include <limits>

namespace facteur::qmgr {

MessagePtr MessageIndex::find(std::string_view id) const
{
    const auto found = messages_.find(id);
    return found == messages_.end() ? nullptr : *found;
}

MessagePtr MessageIndex::add(std::string id)
{
    auto message = std::make_shared<Message>();
    message->id = std::move(id);
    messages_.insert(message);
    return message;
}

void MessageIndex::erase(const MessagePtr& message)
{
    wake(message);
    messages_.erase(message);
}

// --- the schedule ---

void MessageIndex::put(std::size_t slot, Message* message)
{
    schedule_[slot] = message;
    message->schedule_slot = static_cast<std::uint32_t>(slot + 1);
}

void MessageIndex::sift_up(std::size_t slot)
{
    Message* const message = schedule_[slot];
    while (slot > 0) {
        const std::size_t parent = (slot - 1) / 2;
        if (schedule_[parent]->next_try_seconds <= message->next_try_seconds)
            break;
        put(slot, schedule_[parent]);
        slot = parent;
    }
    put(slot, message);
}

void MessageIndex::sift_down(std::size_t slot)
{
    Message* const message = schedule_[slot];
    for (;;) {
        std::size_t child = 2 * slot + 1;
        if (child >= schedule_.size())
            break;
        if (child + 1 < schedule_.size() && schedule_[child + 1]->next_try_seconds < schedule_[child]->next_try_seconds)
            ++child;
        if (message->next_try_seconds <= schedule_[child]->next_try_seconds)
            break;
        put(slot, schedule_[child]);
        slot = child;
    }
    put(slot, message);
}

void MessageIndex::defer(const MessagePtr& message)
{
    wake(message);
    message->place = Place::deferred;
    schedule_.push_back(message.get());
    sift_up(schedule_.size() - 1);
}

void MessageIndex::wake(const MessagePtr& message)
{
    if (message->schedule_slot == 0)
        return;
    const std::size_t slot = message->schedule_slot - 1;
    message->schedule_slot = 0;
    Message* const last = schedule_.back();
    schedule_.pop_back();
    if (last == message.get())
        return;
    put(slot, last);
    sift_up(slot);
    sift_down(last->schedule_slot - 1);
}

MessagePtr MessageIndex::take_due(std::int64_t now)
{
    if (schedule_.empty() || schedule_.front()->next_try_seconds > now)
        return nullptr;
    MessagePtr message = find(schedule_.front()->id);
    wake(message);
    return message;
}

std::int64_t MessageIndex::next_due() const
{
    return schedule_.empty() ? std::numeric_limits<std::int64_t>::max() : schedule_.front()->next_try_seconds;
}

void MessageIndex::due_by(std::int64_t limit)
{
    // What is earlier stays as it is, what is later becomes equal to the limit: a heap it remains.
    for (Message* message : schedule_)
        message->next_try_seconds = std::min(message->next_try_seconds, limit);
}

void MessageIndex::each(const std::function<void(const MessagePtr&)>& visit) const
{
    for (const auto& message : messages_)
        visit(message);
}

std::vector<MessagePtr> MessageIndex::page(std::string_view cursor, std::size_t count) const
{
    std::vector<MessagePtr> result;
    for (auto at = messages_.upper_bound(cursor); at != messages_.end() && result.size() < count; ++at)
        result.push_back(*at);
    return result;
}

} // namespace facteur::qmgr
