#include "event/loop.h"
#include "event/pool.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <barrier>

namespace facteur::event {
namespace {

Task<int> answer(int value)
{
    co_return value;
}

Task<void> sum_many(long& total)
{
    for (int i = 0; i < 200'000; ++i) {
        const int one = co_await answer(1);
        total += one;
    }
}

TEST(Task, ManyReadyTasksUseConstantStack)
{
    Loop loop;
    long total = 0;
    loop.run_until_done(sum_many(total));
    EXPECT_EQ(total, 200'000);
}

Task<void> read_with_timeout(Watch& watch, std::vector<Ready>& seen)
{
    const Ready first = co_await watch.readable(milliseconds(10));
    seen.push_back(first);
    const Ready second = co_await watch.readable(milliseconds(5000));
    seen.push_back(second);
}

TEST(Watch, TimesOutThenBecomesReadable)
{
    Loop loop;
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    {
        Watch watch(loop, ends[0]);
        std::vector<Ready> seen;
        const auto timer =
            loop.call_at(Clock::now() + milliseconds(700), [&] { EXPECT_EQ(::write(ends[1], "x", 1), 1); });
        loop.run_until_done(read_with_timeout(watch, seen));
        EXPECT_EQ(seen, (std::vector{Ready::timed_out, Ready::ready}));
    }
    ::close(ends[0]);
    ::close(ends[1]);
}

Task<void> rest(Loop& loop)
{
    co_await loop.sleep(milliseconds(30));
}

Task<void> write_until_taken(Watch& watch, std::size_t& written, Ready& how)
{
    const std::string much(4096, 'x');
    ssize_t count = 0;
    while ((count = ::send(watch.fd(), much.data(), much.size(), MSG_DONTWAIT)) > 0)
        written += static_cast<std::size_t>(count);
    watch.full();
    how = co_await watch.writable(milliseconds(5000));
}

TEST(Watch, PeerThatReadsWakesOnlyWhoWaitsToWrite)
{
    Loop loop;
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    std::string read(1 << 20, '\0');
    {
        Watch watch(loop, ends[0]);
        int turns = 0;
        loop.before_waits([&] { ++turns; });
        const auto send_and_rest = [&] {
            EXPECT_EQ(::write(ends[0], "x", 1), 1);
            EXPECT_EQ(::read(ends[1], read.data(), 1), 1);
            turns = 0;
            loop.run_until_done(rest(loop));
            return turns;
        };
        EXPECT_EQ(send_and_rest(), 1); // the end of the rest, nothing before it

        std::size_t written = 0;
        Ready how = Ready::cancelled;
        const auto timer = loop.call_at(Clock::now() + milliseconds(20), [&] {
            while (::recv(ends[1], read.data(), read.size(), MSG_DONTWAIT) > 0)
                ;
        });
        loop.run_until_done(write_until_taken(watch, written, how));
        EXPECT_EQ(how, Ready::ready);
        EXPECT_GT(written, 4096U);

        send_and_rest(); // may wake once more
        EXPECT_EQ(send_and_rest(), 1);
    }
    ::close(ends[0]);
    ::close(ends[1]);
}

Task<void> use_pool(WorkerPool& pool, int& result)
{
    result = co_await pool.run([] { return 42; });
}

TEST(WorkerPool, GivesTheResultToTheLoop)
{
    Loop loop;
    WorkerPool pool(loop, 2);
    int result = 0;
    loop.run_until_done(use_pool(pool, result));
    EXPECT_EQ(result, 42);
}

Task<void> use_together(WorkerPool& pool, std::barrier<>& all, int& done)
{
    done += co_await pool.run([&all] {
        all.arrive_and_wait();
        return 1;
    });
}

TEST(WorkerPool, LongWorkGetsMoreThreads)
{
    Loop loop;
    WorkerPool pool(loop, 4, 1);
    std::barrier all(4); // none ends before four run at once
    int done = 0;
    const auto rounds = [&]() -> Task<void> {
        for (int round = 1; round <= 2; ++round) {
            for (int i = 0; i < 4; ++i)
                spawn(use_together(pool, all, done));
            while (done < 4 * round)
                co_await loop.sleep(milliseconds(1));
        }
    };
    loop.run_until_done(rounds());
    EXPECT_EQ(done, 8);
}

Task<void> wait_on(Condition& condition, int& woken)
{
    const Ready how = co_await condition.wait();
    woken += how == Ready::ready;
}

Task<void> notify_later(Loop& loop, Condition& condition)
{
    co_await loop.sleep(milliseconds(5));
    condition.notify_all();
}

TEST(Condition, WakesAll)
{
    Loop loop;
    Condition condition(loop);
    int woken = 0;
    spawn(wait_on(condition, woken));
    spawn(wait_on(condition, woken));
    loop.run_until_done(notify_later(loop, condition));
    EXPECT_EQ(woken, 2);
}

} // namespace
} // namespace facteur::event
