// Work that is cheaper for several than for one: what comes while some of its kind is done is done together next.
#pragma once

#include "event/loop.h"
#include "event/task.h"

#include <algorithm>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace facteur::event {

// Items of different keys know nothing of each other. Not to be destroyed while someone waits.
template <typename Key, typename Item, typename Result>
class Gathering {
public:
    // A result for each item, in their order. Both arguments stay until the task has ended.
    using Work = std::function<Task<std::vector<Result>>(const Key&, const std::vector<Item>&)>;
    // At most `most` items at a time.
    Gathering(Loop& loop, std::size_t most, Work work) : loop_(loop), most_(most), work_(std::move(work)) {}

    Task<Result> join(Key key, Item item)
    {
        Waiting own{std::move(item), std::nullopt, Condition(loop_)};
        const auto [queue, first] = queues_.try_emplace(std::move(key));
        queue->second.push_back(&own);
        if (first)
            spawn(work_off(queue));
        while (!own.result)
            co_await own.ended.wait();
        co_return std::move(*own.result);
    }

private:
    struct Waiting {
        Item item;
        std::optional<Result> result;
        Condition ended;
    };
    using Queues = std::map<Key, std::deque<Waiting*>>; // of what is being worked on

    Task<void> work_off(Queues::iterator queue)
    {
        auto& [key, waiting] = *queue;
        while (!waiting.empty()) {
            const auto end = waiting.begin() + static_cast<std::ptrdiff_t>(std::min(waiting.size(), most_));
            const std::vector<Waiting*> batch(waiting.begin(), end);
            waiting.erase(waiting.begin(), end);
            std::vector<Item> items;
            for (Waiting* each : batch)
                items.push_back(std::move(each->item));
            std::vector<Result> results = co_await work_(key, items);
            for (std::size_t i = 0; i < batch.size(); ++i) {
                batch[i]->result.emplace(std::move(results[i]));
                batch[i]->ended.notify_all();
            }
        }
        queues_.erase(queue);
    }

    Loop& loop_;
    std::size_t most_;
    Work work_;
    Queues queues_;
};

} // namespace facteur::event
