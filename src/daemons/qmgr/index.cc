#include "daemons/qmgr/index.h"

#include <algorithm>
#include <iterator>
#include <limits>

namespace facteur::qmgr {

namespace {

constexpr std::size_t kShelf = 128; // messages at most
constexpr std::size_t kFew = kShelf / 4;

} // namespace

// --- the shelves ---

MessageIndex::Spot MessageIndex::spot_of(std::string_view id) const
{
    // The last shelf that begins at or before the id; what comes before all is for the first.
    const auto next =
        std::ranges::upper_bound(shelves_, id, {}, [](const Shelf& shelf) { return std::string_view(shelf[0]->id); });
    const auto shelf = next == shelves_.begin() ? next : next - 1;
    if (shelf == shelves_.end())
        return {0, 0};
    const auto at =
        std::ranges::lower_bound(*shelf, id, {}, [](const MessagePtr& each) { return std::string_view(each->id); });
    return {static_cast<std::size_t>(shelf - shelves_.begin()), static_cast<std::size_t>(at - shelf->begin())};
}

// One that is full becomes two.
void MessageIndex::split(std::size_t shelf)
{
    Shelf upper(std::make_move_iterator(shelves_[shelf].begin() + kShelf / 2),
                std::make_move_iterator(shelves_[shelf].end()));
    shelves_[shelf].resize(kShelf / 2);
    shelves_.insert(shelves_.begin() + static_cast<std::ptrdiff_t>(shelf) + 1, std::move(upper));
}

void MessageIndex::join_with_next(std::size_t shelf)
{
    Shelf& next = shelves_[shelf + 1];
    shelves_[shelf].insert(shelves_[shelf].end(), std::make_move_iterator(next.begin()),
                           std::make_move_iterator(next.end()));
    shelves_.erase(shelves_.begin() + static_cast<std::ptrdiff_t>(shelf) + 1);
}

MessagePtr MessageIndex::find(std::string_view id) const
{
    const Spot at = spot_of(id);
    if (at.shelf >= shelves_.size() || at.number == shelves_[at.shelf].size())
        return nullptr;
    const MessagePtr& message = shelves_[at.shelf][at.number];
    return message->id == id ? message : nullptr;
}

MessagePtr MessageIndex::add(std::string id)
{
    auto message = std::make_shared<Message>();
    message->id = std::move(id);
    Spot at = spot_of(message->id);
    if (shelves_.empty() ||
        (at.shelf == shelves_.size() - 1 && at.number == kShelf)) { // behind all: nothing needs to make room
        shelves_.emplace_back();
        at = {shelves_.size() - 1, 0};
    } else if (shelves_[at.shelf].size() == kShelf) {
        split(at.shelf);
        at = spot_of(message->id);
    }
    Shelf& shelf = shelves_[at.shelf];
    shelf.insert(shelf.begin() + static_cast<std::ptrdiff_t>(at.number), message);
    ++size_;
    return message;
}

void MessageIndex::erase(const MessagePtr& message)
{
    wake(message);
    const Spot at = spot_of(message->id);
    if (at.shelf >= shelves_.size() || at.number == shelves_[at.shelf].size() ||
        shelves_[at.shelf][at.number]->id != message->id)
        return;
    Shelf& shelf = shelves_[at.shelf];
    const MessagePtr kept = message; // the caller's may be the one on the shelf
    shelf.erase(shelf.begin() + static_cast<std::ptrdiff_t>(at.number));
    --size_;
    if (shelf.empty())
        shelves_.erase(shelves_.begin() + static_cast<std::ptrdiff_t>(at.shelf));
    else if (shelf.size() <= kFew && at.shelf + 1 < shelves_.size() && shelves_[at.shelf + 1].size() <= kShelf / 2)
        join_with_next(at.shelf);
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

// --- all of them ---

void MessageIndex::each(const std::function<void(const MessagePtr&)>& visit) const
{
    for (const Shelf& shelf : shelves_)
        for (const MessagePtr& message : shelf)
            visit(message);
}

void MessageIndex::walk(std::string_view cursor, const std::function<bool(const MessagePtr&)>& visit) const
{
    constexpr std::size_t kAhead = 8;
    Spot at = spot_of(cursor);
    for (; at.shelf < shelves_.size(); at = {at.shelf + 1, 0}) {
        const Shelf& shelf = shelves_[at.shelf];
        for (; at.number < shelf.size(); ++at.number) {
            if (at.number + kAhead < shelf.size()) {
                shelf[at.number + kAhead]->fetch();
                shelf[at.number + kAhead / 2]->fetch_pending();
            }
            if (const MessagePtr& message = shelf[at.number]; message->id != cursor && !visit(message))
                return;
        }
    }
}

} // namespace facteur::qmgr
