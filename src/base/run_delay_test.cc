#include "base/run_delay.h"

#include <gtest/gtest.h>

namespace facteur {
namespace {

TEST(RunDelayTest, ReadsTheSecondNumber)
{
    struct Case {
        std::string_view text;
        std::optional<std::uint64_t> delay;
    };
    const Case cases[] = {
        {"1213231 413100 2\n", 413100},
        {"0 0 0\n", 0},
        {"1 18446744073709551615 3\n", 18446744073709551615ULL},
        {"1 18446744073709551616 3\n", std::nullopt},
        {"", std::nullopt},
        {"12", std::nullopt},
        {"12 ", std::nullopt},
        {"12 34", std::nullopt},
        {"12 x 3", std::nullopt},
        {"12 -4 3", std::nullopt},
    };
    for (const auto& each : cases)
        EXPECT_EQ(parse_run_delay(each.text), each.delay) << each.text;
}

// How long we wait is the machine's affair; that looking twice within a moment gives one answer is ours.
TEST(RunDelayTest, LooksOnceInAWhile)
{
    RunDelay delay;
    const auto later = RunDelay::Clock::now() + std::chrono::hours(1);
    EXPECT_FALSE(delay.short_of_processors(later)) << "an hour was not lost since the start";
    EXPECT_FALSE(delay.short_of_processors(later));
}

} // namespace
} // namespace facteur
