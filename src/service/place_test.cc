#include "service/place.h"

#include <gtest/gtest.h>

#include <thread>

using namespace facteur::service;

namespace {

constexpr std::string_view kStat = "cpu  60 0 40 700 100 0 0 100 0 0\n"
                                   "cpu0 10 1 20 300 40 2 3 4 5 6\n"
                                   "cpu10 1 1 1 1 1 1 1 1 0 0\n"
                                   "cpu1 50 0 20 400 60 0 0 96\n"
                                   "cpu2 50 0 20 400 60 0 0\n"
                                   "cpu3 50 0 -20 400 60 0 0 0\n"
                                   "intr 1 2 3\n";

TEST(ProcessorTime, IsReadFromItsLine)
{
    struct Case {
        int processor;
        std::uint64_t idle;
        std::uint64_t all;
    };
    for (const Case& c : {Case{0, 340, 380}, Case{1, 460, 626}, Case{10, 2, 8}}) {
        const auto time = parse_processor_time(kStat, c.processor);
        ASSERT_TRUE(time) << c.processor;
        EXPECT_EQ(time->idle, c.idle) << c.processor;
        EXPECT_EQ(time->all, c.all) << c.processor;
    }
    for (const int missing : {2, 3, 4, 100})
        EXPECT_FALSE(parse_processor_time(kStat, missing)) << missing;
    EXPECT_FALSE(parse_processor_time("", 0));
}

TEST(Place, IsLeftWhenTimeIsShortAndTakenAgainWhenThereIsMuch)
{
    struct Case {
        bool in_place;
        double idle;
        double idle_elsewhere;
        bool belongs;
    };
    for (const Case& c : {
             Case{true, 1.0, 1.0, true},
             Case{true, 0.2, 0.2, true},
             Case{true, 0.2, 0.0, true},
             Case{true, 0.05, 0.05, false},
             Case{true, 0.0, 0.0, false},
             Case{true, 0.2, 0.6, false}, // the other processor would have time for us
             Case{false, 0.2, 0.2, false},
             Case{false, 0.4, 0.4, true},
             Case{false, 0.4, 0.9, false},
             Case{false, 0.0, 0.0, false},
         })
        EXPECT_EQ(belongs_in_place(c.in_place, c.idle, c.idle_elsewhere), c.belongs)
            << c.in_place << ' ' << c.idle << ' ' << c.idle_elsewhere;
}

int processors_of_this_thread()
{
    cpu_set_t set;
    CPU_ZERO(&set);
    ::sched_getaffinity(0, sizeof set, &set);
    return CPU_COUNT(&set);
}

// In threads of their own, so that the test program stays where it was.
TEST(Place, IsOneOfTwoProcessorsAndNothingElsewhere)
{
    cpu_set_t all;
    ASSERT_EQ(::sched_getaffinity(0, sizeof all, &all), 0);
    const int count = CPU_COUNT(&all);
    const auto after = [](Side side) {
        int processors = 0;
        std::thread([&] {
            const Place place(side);
            processors = processors_of_this_thread();
        }).join();
        return processors;
    };
    EXPECT_EQ(after(Side::any), count);
    ::sched_setaffinity(0, sizeof all, &all); // a place is taken by all threads
    EXPECT_EQ(after(Side::receiving), count == 2 ? 1 : count);
    ::sched_setaffinity(0, sizeof all, &all);
    EXPECT_EQ(after(Side::delivering), count == 2 ? 1 : count);
    ::sched_setaffinity(0, sizeof all, &all);
}

} // namespace
