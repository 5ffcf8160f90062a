// A lookup in tables of the sizes that large sites have.
#include "config/config.h"
#include "table/table.h"

#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>

namespace facteur::table {
namespace {

// A table of `count` lines, each from `line`; gone from the disk when it is open.
std::unique_ptr<Table> make(std::string_view type, std::int64_t count, const std::function<std::string(int)>& line)
{
    char name[] = "/tmp/table_bench.XXXXXX";
    const int fd = ::mkstemp(name);
    {
        std::ofstream file(name);
        for (int i = 0; i < count; ++i)
            file << line(i) << '\n';
    }
    ::close(fd);
    const auto config = config::Config::from_text("compatibility_level = 3.6\nmyhostname = mx.example.com\n");
    auto table = open_table(fmt::format("{}:{}", type, name), {}, *config);
    (void)table->lookup("first@example.com"); // some types read the file now
    ::unlink(name);
    return table;
}

void run(benchmark::State& state, Table& table, const std::function<std::string(int)>& key)
{
    std::vector<std::string> keys;
    for (int i = 0; i < 1024; ++i)
        keys.push_back(key(i));
    std::size_t next = 0;
    for (auto _ : state)
        benchmark::DoNotOptimize(table.lookup(keys[next++ % keys.size()]));
    state.SetItemsProcessed(state.iterations());
}

void texthash(benchmark::State& state)
{
    const auto user = [](int i) { return fmt::format("user{}@example.com", i); };
    const auto table =
        make("texthash", state.range(0), [&](int i) { return user(i) + " somebody" + std::to_string(i); });
    run(state, *table, [&](int i) { return user(i * 7919 % static_cast<int>(2 * state.range(0))); });
}
BENCHMARK(texthash)->Arg(1000)->Arg(1'000'000);

void cidr(benchmark::State& state)
{
    const auto net = [](int i) { return fmt::format("10.{}.{}", i / 256 % 256, i % 256); };
    const auto table = make("cidr", state.range(0), [&](int i) { return net(i) + ".0/24 REJECT"; });
    run(state, *table, [&](int i) { return net(i * 7919 % static_cast<int>(2 * state.range(0))) + ".7"; });
}
BENCHMARK(cidr)->Arg(100)->Arg(10'000);

void regexp(benchmark::State& state)
{
    const auto table =
        make("regexp", state.range(0), [](int i) { return fmt::format("/^Subject:.*offer number {}$/ REJECT", i); });
    run(state, *table, [](int i) { return fmt::format("Subject: minutes of meeting {}", i); });
}
BENCHMARK(regexp)->Arg(10)->Arg(100);

} // namespace
} // namespace facteur::table

BENCHMARK_MAIN();
