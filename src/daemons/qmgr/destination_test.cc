#include "daemons/qmgr/destination.h"
#include "daemons/qmgr/job_queue.h"

#include <gtest/gtest.h>

namespace facteur::qmgr {
namespace {

// A word a delivery: "+" one begins, "-" one ends, a number: milliseconds pass. Then what it is told.
TEST(Destination, ConnectionsAreKeptWhileDeliveriesFollowClosely)
{
    struct Case {
        std::string_view events;
        bool keeps;
    };
    event::Loop loop;
    for (const auto& each : std::to_array<Case>({
             {"+", false},
             {"+ + +", false}, // nothing has shown yet that more will come
             {"+ - 900 +", true},
             {"+ - 1100 +", false},
             {"+ + - +", true},
             {"+ + - + 5000 +", true}, // begun, it goes on while they overlap
             {"+ - + 5000 - +", true},
             {"+ - + - 5000 +", false},
             {"+ - + - 5000 + +", false},
         })) {
        Transport transport(loop, "smtp", {.concurrency_limit = 5, .initial_concurrency = 2}, 0);
        Destination destination(transport, "mx.example");
        event::Clock::time_point now{};
        for (std::size_t at = 0; at < each.events.size();) {
            const std::size_t end = std::min(each.events.find(' ', at), each.events.size());
            const std::string word(each.events.substr(at, end - at));
            if (word == "+")
                destination.delivery_begins(now);
            else if (word == "-")
                destination.delivery_ended(now);
            else
                now += event::milliseconds(std::stoi(word));
            at = end + 1;
        }
        EXPECT_EQ(destination.keeps_connections, each.keeps) << each.events;
    }
}

} // namespace
} // namespace facteur::qmgr
