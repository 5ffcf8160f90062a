// How long loading takes: main.cf of 1,000 lines, every parameter set once, as an administrator of a big system has it
// at most. The aim is less than 10 ms for load().
#include "config/check.h"
#include "config/config.h"

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace facteur::config {
namespace {

constexpr int kLines = 1000;

std::string thousand_lines()
{
    std::string text = "compatibility_level = 3.6\nmyhostname = mx.example.org\nmynetworks = 127.0.0.0/8 [::1]/128\n";
    int lines = 3;
    for (const auto* parameter : all_parameters()) {
        if (parameter->status == Status::obsolete || parameter->default_text.empty() || lines == kLines ||
            text.find(fmt::format("{} =", parameter->name)) != text.npos)
            continue;
        text += fmt::format("{} = {}\n", parameter->name, parameter->default_text);
        ++lines;
    }
    for (; lines < kLines; ++lines)
        text += fmt::format("own_setting_{} = $myhostname and some more words\n", lines);
    return text;
}

class Directory {
public:
    Directory()
    {
        char name[] = "/tmp/config_bench.XXXXXX";
        path_ = ::mkdtemp(name);
        std::ofstream(path_ / "main.cf") << thousand_lines();
        std::ofstream(path_ / "master.cf") << "smtp inet n - n - - smtpd\nsmtp unix - - n - - smtp\n";
    }
    ~Directory() { std::filesystem::remove_all(path_); }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;
    [[nodiscard]] std::string path() const { return path_; }

private:
    std::filesystem::path path_;
};

void load(benchmark::State& state)
{
    const Directory directory;
    for (auto _ : state) {
        auto config = Config::load(directory.path());
        if (!config)
            state.SkipWithError(config.error().message().c_str());
        benchmark::DoNotOptimize(config);
    }
}
BENCHMARK(load)->Unit(benchmark::kMillisecond);

void check_all(benchmark::State& state)
{
    const Directory directory;
    const auto config = Config::load(directory.path());
    for (auto _ : state)
        benchmark::DoNotOptimize(check(*config));
}
BENCHMARK(check_all)->Unit(benchmark::kMillisecond);

} // namespace
} // namespace facteur::config

BENCHMARK_MAIN();
