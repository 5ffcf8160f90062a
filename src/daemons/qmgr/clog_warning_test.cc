#include "daemons/qmgr/clog_warning.h"

#include <gtest/gtest.h>

namespace facteur::qmgr {
namespace {

TEST(ClogWarning, OnlyWhenOneDestinationFillsTheActiveQueue)
{
    event::Loop loop;
    Transport transport(loop, "smtp", {.concurrency_limit = 5, .initial_concurrency = 2}, 0);
    Destination destination(transport, "slow.example");
    destination.nexthop = "slow.example";
    struct Case {
        std::size_t waiting;
        long in_flight;
        std::size_t active;
        bool warns;
    };
    for (const auto& each : std::to_array<Case>({
             {0, 0, 0, false},
             {180, 2, 190, false}, // there is room for a thousand
             {200, 2, 210, true},
             {158, 2, 210, false}, // most of it is others'
             {1000, 0, 1000, true},
         })) {
        destination.waiting = each.waiting;
        destination.in_flight = each.in_flight;
        EXPECT_EQ(!clog_warning(destination, each.active, 1000).empty(), each.warns)
            << each.waiting << ' ' << each.active;
    }
}

TEST(ClogWarning, NamesTheParameterThatHelps)
{
    event::Loop loop;
    Transport transport(loop, "relay", {.concurrency_limit = 3, .initial_concurrency = 3}, 0);
    Destination destination(transport, "slow.example");
    destination.nexthop = "slow.example";
    destination.waiting = 900;
    const auto full = clog_warning(destination, 1000, 1000);
    EXPECT_EQ(full.at(0), "mail for slow.example is using up 900 of 1000 active queue entries");
    EXPECT_EQ(full.at(2), "you may need to increase the main.cf relay_destination_concurrency_limit from 3");
    destination.window.failed(0); // the window is smaller than the limit: not the limit is what slows
    const auto failing = clog_warning(destination, 1000, 1000);
    EXPECT_EQ(failing.at(2), "you may need to reduce relay connect and helo timeouts");
}

} // namespace
} // namespace facteur::qmgr
