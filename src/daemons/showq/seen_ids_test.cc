#include "daemons/showq/seen_ids.h"

#include <gtest/gtest.h>

namespace facteur::showq {
namespace {

TEST(SeenIds, InOrderAndOutOfIt)
{
    SeenIds seen;
    EXPECT_FALSE(seen.contains("A"));
    for (const char* id : {"A1", "A2", "C", "B", "D"})
        EXPECT_TRUE(seen.insert(id)) << id;
    for (const char* id : {"A1", "A2", "C", "B", "D"}) {
        EXPECT_TRUE(seen.contains(id)) << id;
        EXPECT_FALSE(seen.insert(id)) << id;
    }
    for (const char* id : {"", "A", "A11", "BB", "E"})
        EXPECT_FALSE(seen.contains(id)) << id;
}

} // namespace
} // namespace facteur::showq
