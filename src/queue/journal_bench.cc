// What a record costs on its way into the journal, the flush included: groups of so many records of 4 KB, each group
// flushed as a whole. In the directory where it is started: on a real disk, or the flush costs nothing.
#include "queue/journal.h"

#include <benchmark/benchmark.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace facteur::queue {
namespace {

event::Task<void> groups(Journal& journal, benchmark::State& state)
{
    const std::string payload(4096, 'x');
    for (auto _ : state) {
        for (int i = 0; i < state.range(0); ++i)
            journal.append(RecordType::message, "ABCDEF0123", payload);
        const auto flushed = co_await journal.commit();
        if (!flushed) {
            state.SkipWithError(flushed.error().message().c_str());
            break;
        }
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
    co_await journal.close();
}

void appendAndFlush(benchmark::State& state)
{
    char name[] = "journal_bench.XXXXXX";
    if (!::mkdtemp(name) || ::chdir(name) != 0) {
        state.SkipWithError("no directory to work in");
        return;
    }
    {
        event::Loop loop;
        event::WorkerPool pool(loop, 2);
        auto journal = Journal::open(loop, pool, {.name = "bench"});
        if (journal)
            loop.run_until_done(groups(**journal, state));
        else
            state.SkipWithError(journal.error().message().c_str());
    }
    if (::chdir("..") == 0)
        std::filesystem::remove_all(name);
}
BENCHMARK(appendAndFlush)->Arg(1)->Arg(10)->Arg(50)->UseRealTime();

} // namespace
} // namespace facteur::queue

BENCHMARK_MAIN();
