#include "event/gathering.h"

#include <gtest/gtest.h>

#include <string>

namespace facteur::event {
namespace {

class GatheringTest : public testing::Test {
protected:
    using Words = Gathering<std::string, int, std::string>;

    // Notes what is done together, and takes a moment.
    Task<std::vector<std::string>> work(const std::string& key, const std::vector<int>& items)
    {
        std::string batch = key + ":";
        std::vector<std::string> results;
        for (const int item : items) {
            batch += " " + std::to_string(item);
            results.push_back(key + std::to_string(item));
        }
        batches_.push_back(batch);
        co_await loop_.sleep(milliseconds(1));
        co_return results;
    }
    Task<void> join(std::string key, int item)
    {
        const std::string result = co_await words_.join(key, item);
        EXPECT_EQ(result, key + std::to_string(item));
        ++done_;
    }
    Task<void> rest() { co_await loop_.sleep(milliseconds(1)); }
    void until_done(int count)
    {
        while (done_ < count)
            loop_.run_until_done(rest());
    }

    Loop loop_;
    Words words_{loop_, 3, [this](const auto& key, const auto& items) { return work(key, items); }};
    std::vector<std::string> batches_;
    int done_ = 0;
};

TEST_F(GatheringTest, WhatComesMeanwhileIsDoneTogether)
{
    for (int item = 0; item < 6; ++item)
        spawn(join("a", item));
    spawn(join("b", 7));
    until_done(7);
    EXPECT_EQ(batches_, (std::vector<std::string>{"a: 0", "b: 7", "a: 1 2 3", "a: 4 5"}));
}

TEST_F(GatheringTest, BeginsAnew)
{
    for (int item = 0; item < 3; ++item) {
        spawn(join("a", item));
        until_done(item + 1);
    }
    EXPECT_EQ(batches_, (std::vector<std::string>{"a: 0", "a: 1", "a: 2"}));
}

} // namespace
} // namespace facteur::event
