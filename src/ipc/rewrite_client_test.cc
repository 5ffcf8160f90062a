#include "ipc/rewrite_client.h"

#include <gtest/gtest.h>

namespace facteur::ipc {
namespace {

using event::milliseconds;

TEST(AnswerCache, ForgetsTheLeastRecentlyUsedAndTheOld)
{
    AnswerCache cache(2, milliseconds(100));
    const event::Clock::time_point start{};
    cache.put("a", "1", start);
    cache.put("b", "2", start);
    ASSERT_NE(cache.get("a", start), nullptr);
    cache.put("c", "3", start);
    EXPECT_EQ(cache.size(), 2u);
    EXPECT_EQ(cache.get("b", start), nullptr);
    ASSERT_NE(cache.get("a", start), nullptr);
    EXPECT_EQ(*cache.get("a", start), "1");
    EXPECT_EQ(cache.get("a", start + milliseconds(100)), nullptr);
    cache.put("a", "4", start + milliseconds(200));
    ASSERT_NE(cache.get("a", start + milliseconds(250)), nullptr);
    EXPECT_EQ(*cache.get("a", start + milliseconds(250)), "4");
    EXPECT_EQ(cache.size(), 2u);
}

} // namespace
} // namespace facteur::ipc
