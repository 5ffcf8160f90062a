#include "agent/delivery_log.h"

#include <gtest/gtest.h>

namespace facteur::agent {
namespace {

using std::chrono::microseconds;

TEST(DelayFormat, TwoDigitsAndNoTrailingZeros)
{
    struct Case {
        long micros;
        int decimals;
        std::string_view text;
    };
    constexpr Case kCases[] = {
        {0, 2, "0"},
        {4'999, 2, "0"},
        {5'000, 2, "0.01"},
        {46'000, 2, "0.05"},
        {100'000, 2, "0.1"},
        {123'000, 2, "0.12"},
        {996'000, 2, "1"},
        {1'040'000, 2, "1"},
        {1'060'000, 2, "1.1"},
        {9'960'000, 2, "10"},
        {11'200'000, 2, "11"},
        {11'600'000, 2, "12"},
        {340'400'000, 2, "340"},
        {1'234, 3, "0.001"},
        {1'234, 6, "0.0012"},
        {123'456, 6, "0.12"},
        {1'600'000, 0, "2"},
        {400'000, 0, "0"},
        {-5, 2, "0"},
        {12, 6, "0.000012"},
        {1'250'000, 1, "1.3"},
    };
    for (const Case& c : kCases)
        EXPECT_EQ(format_delay(microseconds(c.micros), c.decimals), c.text) << c.micros << " with " << c.decimals;
}

TEST(OutcomeLine, ShowsOnlyWhatMatters)
{
    OutcomeLine line{.queue_id = "5A04BA72140",
                     .recipient = "x@y.example",
                     .original = "X@y.example",
                     .relay = "mx.y.example[192.0.2.1]:25",
                     .delays = {microseconds(20'000), microseconds(21'000), microseconds(0), microseconds(39'000)},
                     .dsn = "2.0.0",
                     .status = "sent",
                     .reason = "250 ok"};
    EXPECT_EQ(format_outcome(line, 2), "5A04BA72140: to=<x@y.example>, relay=mx.y.example[192.0.2.1]:25, delay=0.08, "
                                       "delays=0.02/0.02/0/0.04, dsn=2.0.0, status=sent (250 ok)");
    line.original = "alias@y.example";
    line.connection_use = 3;
    EXPECT_EQ(format_outcome(line, 2),
              "5A04BA72140: to=<x@y.example>, orig_to=<alias@y.example>, relay=mx.y.example[192.0.2.1]:25, "
              "conn_use=3, delay=0.08, delays=0.02/0.02/0/0.04, dsn=2.0.0, status=sent (250 ok)");
}

} // namespace
} // namespace facteur::agent
