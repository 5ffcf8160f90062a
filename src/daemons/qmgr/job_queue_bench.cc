// The scheduler's decisions when very much waits: a million entries of one message, or of as many messages.
#include "daemons/qmgr/job_queue.h"

#include <benchmark/benchmark.h>

#include <deque>

namespace facteur::qmgr {
namespace {

constexpr int kLanes = 2000;

// One more entry comes and one leaves while `range(0)` entries of `range(1)` messages wait for 2,000 destinations.
void pushAndPop(benchmark::State& state)
{
    const SlotRules rules;
    JobQueue queue(rules);
    std::deque<Lane> lanes(kLanes);
    for (auto& lane : lanes)
        queue.set_open(lane, true);
    std::vector<std::shared_ptr<Message>> messages;
    for (int i = 0; i < state.range(1); ++i)
        messages.push_back(std::make_shared<Message>());
    std::uint32_t number = 0;
    const auto push = [&] {
        queue.push(lanes[number % kLanes], Entry{messages[number % messages.size()], {number}, {}}, Priority::normal,
                   number);
        ++number;
    };
    for (int i = 0; i < state.range(0); ++i)
        push();
    for (auto _ : state) {
        push();
        benchmark::DoNotOptimize(queue.pop(number));
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(pushAndPop)->Args({1000, 1000})->Args({1'000'000, 1})->Args({1'000'000, 1000})->Args({1'000'000, 1'000'000});

} // namespace
} // namespace facteur::qmgr

BENCHMARK_MAIN();
