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
    // Threads start with the first work, at most `threads` of them.
    WorkerPool(Loop& loop, unsigned threads) : loop_(loop), limit_(threads) {}
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
    };
    void thread_main();

    Loop& loop_;
    unsigned limit_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<Item> items_;
    std::vector<std::thread> threads_;
    unsigned idle_ = 0;
    bool stopping_ = false;
};

} // namespace facteur::event
