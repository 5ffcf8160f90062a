#include "daemons/qmgr/index.h"

#include <limits>

namespace facteur::qmgr {

std::string_view queue_name(Place place)
{
    switch (place) {
    case Place::incoming:
        return "incoming";
    case Place::active:
        return "active";
    case Place::deferred:
        return "deferred";
    case Place::hold:
        return "hold";
    }
    return "incoming";
}

MessagePtr MessageIndex::find(std::string_view id) const
{
    const auto found = messages_.find(id);
    return found == messages_.end() ? nullptr : found->second;
}

MessagePtr MessageIndex::add(std::string id)
{
    auto message = std::make_shared<Message>();
    message->id = std::move(id);
    messages_.emplace(message->id, message);
    return message;
}

void MessageIndex::erase(const MessagePtr& message)
{
    wake(message);
    messages_.erase(message->id);
}

void MessageIndex::defer(const MessagePtr& message)
{
    message->place = Place::deferred;
    schedule_.emplace(message->next_try_seconds, message.get());
}

void MessageIndex::wake(const MessagePtr& message)
{
    schedule_.erase({message->next_try_seconds, message.get()});
}

MessagePtr MessageIndex::take_due(std::int64_t now)
{
    if (schedule_.empty() || schedule_.begin()->first > now)
        return nullptr;
    const MessagePtr message = find(schedule_.begin()->second->id);
    schedule_.erase(schedule_.begin());
    return message;
}

std::int64_t MessageIndex::next_due() const
{
    return schedule_.empty() ? std::numeric_limits<std::int64_t>::max() : schedule_.begin()->first;
}

void MessageIndex::all_due_now(std::int64_t now)
{
    std::set<std::pair<std::int64_t, Message*>> due;
    for (const auto& [when, message] : schedule_) {
        message->next_try_seconds = std::min(when, now);
        due.emplace(message->next_try_seconds, message);
    }
    schedule_ = std::move(due);
}

void MessageIndex::each(const std::function<void(const MessagePtr&)>& visit) const
{
    for (const auto& [id, message] : messages_)
        visit(message);
}

std::vector<MessagePtr> MessageIndex::page(std::string_view cursor, std::size_t count) const
{
    std::vector<MessagePtr> result;
    for (auto at = messages_.upper_bound(cursor); at != messages_.end() && result.size() < count; ++at)
        result.push_back(at->second);
    return result;
}

} // namespace facteur::qmgr
