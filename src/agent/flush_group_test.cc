#include "agent/flush_group.h"
#include "base/fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace facteur::agent {
namespace {

event::Task<void> flush_one(FlushGroup& group, int file, dev_t device, std::vector<int>& codes)
{
    codes.push_back(co_await group.flush(file, device));
}

event::Task<void> flush_many(event::Loop& loop, FlushGroup& group, std::vector<int> files, dev_t device,
                             std::vector<int>& codes)
{
    for (const int file : files)
        event::spawn(flush_one(group, file, device, codes));
    while (codes.size() < files.size())
        co_await loop.sleep(event::milliseconds(1));
}

TEST(FlushGroup, TellsEachItsResult)
{
    event::Loop loop;
    event::WorkerPool pool(loop, 2);
    FlushGroup group(loop, pool);
    std::string name = "/tmp/flush_group_test.XXXXXX";
    const UniqueFd file(::mkstemp(name.data()));
    struct stat status{};
    ASSERT_EQ(::fstat(file.get(), &status), 0);
    ::unlink(name.c_str());
    ASSERT_TRUE(write_all(file.get(), "text", name));

    std::vector<int> codes;
    loop.run_until_done(flush_many(loop, group, std::vector(10, file.get()), status.st_dev, codes));
    EXPECT_EQ(codes, std::vector(10, 0));
    // What cannot be flushed is found when it is one of many, and fails alone.
    codes.clear();
    const int closed = 1000;
    loop.run_until_done(
        flush_many(loop, group, {file.get(), file.get(), closed, file.get(), closed}, status.st_dev, codes));
    EXPECT_EQ(std::ranges::count(codes, 0), 3);
    EXPECT_EQ(std::ranges::count(codes, EBADF), 2);
}

TEST(FlushGroup, UnwrittenOfTheMachine)
{
    EXPECT_EQ(unwritten_kilobytes("MemTotal:  100 kB\nDirty:   40 kB\nWriteback:   2 kB\nWritebackTmp: 9 kB\n"), 42U);
    EXPECT_EQ(unwritten_kilobytes("Dirty: many kB\n"), std::nullopt);
    EXPECT_EQ(unwritten_kilobytes("Dirty: -1 kB\n"), std::nullopt);
    EXPECT_EQ(unwritten_kilobytes("MemTotal: 100 kB\n"), std::nullopt);
    EXPECT_EQ(unwritten_kilobytes(""), std::nullopt);
}

} // namespace
} // namespace facteur::agent
