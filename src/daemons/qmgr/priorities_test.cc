#include "daemons/qmgr/priorities.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace facteur::qmgr {
namespace {

TEST(Treatment, IsParsed)
{
    struct Case {
        const char* text;
        Priority priority;
        int from; // -1: no window
        int to;
    };
    for (const Case& each :
         {Case{"high", Priority::high, -1, 0}, Case{"Bulk", Priority::bulk, -1, 0},
          Case{"normal 08:30-17:00", Priority::normal, 510, 1020}, Case{"bulk, 22:00-06:00", Priority::bulk, 1320, 360},
          Case{"bulk 22:00-24:00", Priority::bulk, 1320, 0}}) {
        const auto treatment = parse_treatment(each.text);
        ASSERT_TRUE(treatment) << each.text;
        EXPECT_EQ(treatment->priority, each.priority) << each.text;
        EXPECT_EQ(treatment->window.has_value(), each.from >= 0) << each.text;
        if (treatment->window) {
            EXPECT_EQ(treatment->window->from, each.from);
            EXPECT_EQ(treatment->window->to, each.to);
        }
    }
    for (const char* wrong :
         {"", "urgent", "bulk 22:00", "bulk 22-06", "bulk 25:00-06:00", "bulk 10:60-11:00", "bulk 1:00-2:00 3:00-4:00"})
        EXPECT_FALSE(parse_treatment(wrong)) << wrong;
}

TEST(TimeWindow, TellsHowLongItIsClosed)
{
    ::setenv("TZ", "UTC", 1);
    ::tzset();
    constexpr std::time_t kMidnight = 1'800'000'000 / 86400 * 86400;
    const auto at = [](int hour, int minute, int second = 0) { return kMidnight + hour * 3600 + minute * 60 + second; };
    const TimeWindow night{22 * 60, 6 * 60};
    EXPECT_EQ(night.closed_for(at(23, 0)), 0);
    EXPECT_EQ(night.closed_for(at(5, 59, 59)), 0);
    EXPECT_EQ(night.closed_for(at(6, 0)), 16 * 3600);
    EXPECT_EQ(night.closed_for(at(21, 59, 30)), 30);
    const TimeWindow day{8 * 60, 17 * 60};
    EXPECT_EQ(day.closed_for(at(12, 0)), 0);
    EXPECT_EQ(day.closed_for(at(17, 0)), 15 * 3600);
    EXPECT_EQ(day.closed_for(at(7, 0)), 3600);
    EXPECT_EQ((TimeWindow{60, 60}.closed_for(at(12, 0))), 0);
}

} // namespace
} // namespace facteur::qmgr
