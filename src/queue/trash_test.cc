#include "queue/trash.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

namespace facteur::queue {
namespace {

class TrashTest : public testing::Test {
protected:
    void SetUp() override
    {
        char name[] = "/tmp/trash_test.XXXXXX";
        ASSERT_NE(::mkdtemp(name), nullptr);
        ASSERT_EQ(::chdir(name), 0);
        for (const auto* directory : {"journal", "deferred", "deferred/A", "deferred/A/B", "deferred/C", "hold",
                                      "defer", "defer/A", "defer/A/B", "bounce", "trace"})
            ASSERT_EQ(::mkdir(directory, 0710), 0);
    }
    static void put(const std::string& path) { std::ofstream(path) << "x"; }
    static bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

    Spool spool_{"deferred, defer", 2};
    std::stop_source stop_;
};

TEST_F(TrashTest, TakesWholeDirectories)
{
    put("deferred/A/B/AB0001CDEF");
    put("deferred/A/AC0001CDEF"); // as of another depth
    put("deferred/C/CC0001CDEF");
    put("deferred/C/README.txt");
    put("deferred/DD0001CDEF");
    put("defer/A/B/AB0001CDEF");
    put("bounce/CC0001CDEF");
    put("bounce/DD0001CDEF");
    {
        auto trash = Trash::open();
        ASSERT_TRUE(trash);
        auto ids = trash->take_directories("deferred");
        std::ranges::sort(ids);
        EXPECT_EQ(ids, (std::vector<std::string>{"AB0001CDEF", "AC0001CDEF", "CC0001CDEF"}));
        struct stat status{};
        ASSERT_EQ(::stat("deferred/A", &status), 0);
        EXPECT_EQ(status.st_mode & 07777, 0710U);
        EXPECT_FALSE(exists("deferred/A/B/AB0001CDEF"));
        EXPECT_TRUE(exists("deferred/C/README.txt")) << "no message: put back";
        EXPECT_TRUE(exists("deferred/DD0001CDEF")) << "not in a hash directory";
        EXPECT_TRUE(empty_trash(spool_, stop_.get_token()));
        EXPECT_FALSE(trash_is_empty()) << "still being filled";
    }
    EXPECT_TRUE(empty_trash(spool_, stop_.get_token()));
    EXPECT_TRUE(trash_is_empty());
    EXPECT_FALSE(exists("defer/A/B/AB0001CDEF"));
    EXPECT_FALSE(exists("bounce/CC0001CDEF"));
    EXPECT_TRUE(exists("bounce/DD0001CDEF"));
}

TEST_F(TrashTest, TakesSingleMessages)
{
    put("hold/AB0001CDEF");
    {
        auto trash = Trash::open();
        ASSERT_TRUE(trash);
        EXPECT_TRUE(trash->take_directories("hold").empty());
        EXPECT_TRUE(trash->take(spool_, "hold", "AB0001CDEF"));
        const auto missing = trash->take(spool_, "hold", "AB0001CDEF");
        ASSERT_FALSE(missing);
        EXPECT_EQ(missing.error().code, ENOENT);
    }
    EXPECT_FALSE(exists("hold/AB0001CDEF"));
    EXPECT_TRUE(empty_trash(spool_, stop_.get_token()));
    EXPECT_TRUE(trash_is_empty());
}

TEST_F(TrashTest, WhatIsInterruptedIsFinishedLater)
{
    for (int i = 0; i < 20; ++i) {
        auto trash = Trash::open();
        ASSERT_TRUE(trash);
        const std::string id = "AB000" + std::to_string(100 + i) + "CDEF";
        put("hold/" + id);
        EXPECT_TRUE(trash->take(spool_, "hold", id));
    }
    stop_.request_stop();
    EXPECT_TRUE(empty_trash(spool_, stop_.get_token()));
    EXPECT_FALSE(trash_is_empty());
    EXPECT_TRUE(empty_trash(spool_, {}));
    EXPECT_TRUE(trash_is_empty());
}

TEST_F(TrashTest, NothingIsTakenWhereThereIsNoJournal)
{
    ::rmdir("journal");
    EXPECT_FALSE(Trash::open());
    EXPECT_TRUE(trash_is_empty());
}

} // namespace
} // namespace facteur::queue
