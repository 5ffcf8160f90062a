// Threads for work that blocks (flush to disk, database clients): co_await pool.run([] { return fdatasync(fd); }).
#pragma once

#include "event/loop.h"

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace facteur::event {

class WorkerPool {
public:
    // Threads start with the first work, at most `threads` of them. The first `eager` are woken for each piece of work;
    // the others when some has waited for a few milliseconds, which is when work takes long.
    WorkerPool(Loop& loop, unsigned threads, unsigned eager);
    WorkerPool(Loop& loop, unsigned threads) : WorkerPool(loop, threads, threads) {}
    ~WorkerPool(); // waits for running work; queued work is dropped
    WorkerPool(const WorkerPool&) = delete;
    WorkerPool& operator=(const WorkerPool&) = delete;

    // Runs `work` on a thread, then `done` in the loop.
    void submit(std::function<void()> work, std::function<void()> done);

    template <typename F>
    auto run(F work) -> Task<decltype(work())>
    {
        std::optional<decltype(work())> result;
        struct Suspend {
            WorkerPool& pool;
            F& work;
            std::optional<decltype(work())>& result;
            bool await_ready() const { return false; }
            void await_suspend(std::coroutine_handle<> handle)
            {
                pool.submit([this] { result.emplace(work()); }, [handle] { handle.resume(); });
            }
            void await_resume() const {}
        };
        Suspend suspend{*this, work, result};
        co_await suspend;
        co_return std::move(*result);
    }

private:
    struct Item {
        std::function<void()> work;
        std::function<void()> done;
        Clock::time_point since;
    };
    void thread_main();
    void put_to_work();
    void relieve();
    void watch_waiting();

    Loop& loop_;
    const unsigned limit_;
    const unsigned eager_;
    std::unique_ptr<Loop::Timer> relief_; // while work waits and more threads could do it
    std::mutex mutex_;                    // of what follows
    std::condition_variable wake_;
    std::deque<Item> items_;
    std::vector<std::thread> threads_;
    unsigned working_ = 0; // threads that work, or were told to
    unsigned told_ = 0;    // and have not begun
    bool stopping_ = false;
};

} // namespace facteur::event
