#include "queue/queue_file.h"
#include "tools/postsuper/operations.h"
#include "tools/postsuper/structure.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utime.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>

namespace facteur::postsuper {
namespace {

class OnFiles : public testing::Test {
protected:
    void SetUp() override
    {
        char name[] = "/tmp/postsuper_test.XXXXXX";
        ASSERT_NE(::mkdtemp(name), nullptr);
        ASSERT_EQ(::chdir(name), 0);
        for (const auto queue : kStructuredQueues)
            ::mkdir(std::string(queue).c_str(), 0700);
    }
    void put(const std::string& path, mode_t mode = 0700)
    {
        std::ofstream(path) << "x";
        ::chmod(path.c_str(), mode);
    }
    static bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

    queue::Spool spool_{"deferred, defer", 1};
    std::vector<std::pair<ipc::QueueChange::Operation, std::string>> changes_;
    Operations operations_{
        spool_,
        {.mode = Mode::perform, .chosen = {}, .each = {}, .changed = [this](auto change, const std::string& id) {
             changes_.emplace_back(change, id);
         }}};
};

TEST_F(OnFiles, RemoveTakesTheLogsAlong)
{
    ::mkdir("deferred/A", 0700);
    ::mkdir("defer/A", 0700);
    put("deferred/A/ABCDEF0123");
    put("defer/A/ABCDEF0123", 0600);
    operations_.one(Operation::remove, "ABCDEF0123", Operations::default_queues(Operation::remove));
    operations_.one(Operation::remove, "ABCDEF9999", Operations::default_queues(Operation::remove));
    EXPECT_FALSE(exists("deferred/A/ABCDEF0123"));
    EXPECT_FALSE(exists("defer/A/ABCDEF0123"));
    EXPECT_EQ(operations_.counts().removed, 1);
    ASSERT_EQ(changes_.size(), 1U);
    EXPECT_EQ(changes_[0], std::pair(ipc::QueueChange::REMOVED, std::string("ABCDEF0123")));
}

TEST_F(OnFiles, RemovesManyWithTheirLogs)
{
    for (const auto* directory : {"deferred", "defer"})
        for (const char digit : std::string("0123456789ABCDEF"))
            ::mkdir((std::string(directory) + '/' + digit).c_str(), 0700);
    std::vector<std::string> ids;
    for (int i = 0; i < 300; ++i) {
        char id[16];
        std::snprintf(id, sizeof id, "%05XABCDEF", i * 3001);
        ids.emplace_back(id);
        put(spool_.path("deferred", id));
        put(spool_.path("defer", id), 0600);
        if (i % 3 == 0)
            put(spool_.path("bounce", id), 0600);
    }
    operations_.all(Operation::remove, {"deferred"});
    EXPECT_EQ(operations_.counts().removed, 300);
    EXPECT_EQ(changes_.size(), 300U);
    for (const auto& id : ids)
        for (const auto* queue : {"deferred", "defer", "bounce"})
            EXPECT_FALSE(exists(spool_.path(queue, id))) << queue << ' ' << id;
}

TEST_F(OnFiles, HoldAndRelease)
{
    put("incoming/ABCDEF0123");
    put("active/1BCDEF0123");
    put("maildrop/2BCDEF0123");
    operations_.all(Operation::hold, Operations::default_queues(Operation::hold));
    EXPECT_TRUE(exists("hold/ABCDEF0123") && exists("hold/1BCDEF0123") && exists("maildrop/2BCDEF0123"));
    EXPECT_EQ(operations_.counts().held, 2);
    operations_.all(Operation::hold, {"hold"});
    EXPECT_EQ(operations_.counts().held, 2);
    operations_.one(Operation::release, "1BCDEF0123", Operations::default_queues(Operation::release));
    EXPECT_TRUE(exists("deferred/1/1BCDEF0123"));
    EXPECT_EQ(operations_.counts().released, 1);
    operations_.all(Operation::release, {"deferred"});
    EXPECT_EQ(operations_.counts().released, 1);
}

TEST_F(OnFiles, ExpireMarksOnceAndReleasesWhenAsked)
{
    put("hold/ABCDEF0123");
    put("incoming/1BCDEF0123", 0600);
    operations_.all(Operation::expire, Operations::default_queues(Operation::expire));
    operations_.all(Operation::expire, Operations::default_queues(Operation::expire));
    EXPECT_EQ(operations_.counts().expired, 1);
    operations_.one(Operation::expire_and_release, "ABCDEF0123",
                    Operations::default_queues(Operation::expire_and_release));
    EXPECT_EQ(operations_.counts().expired, 1);
    EXPECT_EQ(operations_.counts().released, 1);
    struct stat status{};
    ASSERT_EQ(::stat("deferred/A/ABCDEF0123", &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0710u);
}

TEST_F(OnFiles, RequeueMovesToIncoming)
{
    put("hold/ABCDEF0123");
    operations_.all(Operation::requeue, Operations::default_queues(Operation::requeue));
    EXPECT_TRUE(exists("incoming/ABCDEF0123"));
    EXPECT_EQ(operations_.counts().requeued, 1);
}

TEST_F(OnFiles, StructureFollowsTheHashParameters)
{
    put("deferred/ABCDEF0123");
    ::mkdir("hold/A", 0700);
    put("hold/A/ABCDEF0124");
    fix_structure(spool_, "deferred");
    fix_structure(spool_, "hold");
    EXPECT_TRUE(exists("deferred/A/ABCDEF0123"));
    EXPECT_TRUE(exists("hold/ABCDEF0124"));
    EXPECT_FALSE(exists("hold/A"));
    EXPECT_TRUE(exists("deferred/A"));
}

TEST_F(OnFiles, PurgeSparesWhatIsYoungOrComplete)
{
    put("incoming/ABCDEF0001", 0600);
    put("incoming/ABCDEF0002", 0600);
    put("incoming/ABCDEF0003", 0700);
    put("incoming/x.tmp", 0600);
    const utimbuf old{1, 1};
    for (const char* path : {"incoming/ABCDEF0002", "incoming/ABCDEF0003", "incoming/x.tmp"})
        ::utime(path, &old);
    purge_leftovers(spool_, "incoming");
    EXPECT_TRUE(exists("incoming/ABCDEF0001"));
    EXPECT_FALSE(exists("incoming/ABCDEF0002"));
    EXPECT_TRUE(exists("incoming/ABCDEF0003"));
    EXPECT_FALSE(exists("incoming/x.tmp"));
}

} // namespace
} // namespace facteur::postsuper
