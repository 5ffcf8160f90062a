// What the parts of cleanup and smtpd cost that touch every address and every byte.
#include "mail/address.h"
#include "mail/content_pass.h"
#include "mail/rewrite.h"

#include <benchmark/benchmark.h>

#include <string>

namespace facteur::mail {
namespace {

void addressForms(benchmark::State& state)
{
    const std::string_view addresses[] = {"user@example.com", "\"odd user\"@example.com", "a.b.c+tag@mail.example.org"};
    for (auto _ : state)
        for (const auto address : addresses)
            benchmark::DoNotOptimize(to_external(to_internal(address)));
    state.SetItemsProcessed(state.iterations() * 3);
}
BENCHMARK(addressForms);

void headerAddresses(benchmark::State& state)
{
    std::string value = "Some One <one@example.com>";
    for (int i = 1; i < state.range(0); ++i)
        value += ",\r\n\t\"Number " + std::to_string(i) + "\" <user" + std::to_string(i) + "@example.com>";
    for (auto _ : state)
        benchmark::DoNotOptimize(header_addresses(value));
    state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(headerAddresses)->Arg(1)->Arg(100);

// The pass over headers and body with the rewriting of local mail, for a body of so many KB.
void contentPass(benchmark::State& state)
{
    std::string message = "Received: from a.example by b.example; Sun, 22 Nov 2026 10:00:00 +0000\r\n"
                          "From: Some One <one@example.com>\r\nTo: two@example.com, three\r\nSubject: news\r\n"
                          "Date: Sun, 22 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@example.com>\r\n\r\n";
    while (message.size() < static_cast<std::size_t>(state.range(0)) << 10)
        message += std::string(70, 'x') + "\r\n";
    const RewriteSettings settings{.myorigin = "mx.example.com", .mydomain = "example.com"};
    ContentHooks hooks;
    hooks.complete_address = [&settings](std::string_view address) {
        return rewrite_external(address, RewriteContext::local, settings);
    };
    ContentOptions options;
    options.add_missing = AddMissing::yes;
    for (auto _ : state) {
        ContentPass pass(options, hooks);
        pass.push(message);
        pass.finish();
        benchmark::DoNotOptimize(pass.output().data());
    }
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(message.size()));
}
BENCHMARK(contentPass)->Arg(1)->Arg(4)->Arg(64);

} // namespace
} // namespace facteur::mail

BENCHMARK_MAIN();
