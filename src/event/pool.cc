#include "event/pool.h"

#include <csignal>

namespace facteur::event {

namespace {
constexpr std::chrono::milliseconds kPatience{2};
} // namespace

WorkerPool::WorkerPool(Loop& loop, unsigned threads, unsigned eager) : loop_(loop), limit_(threads), eager_(eager) {}

WorkerPool::~WorkerPool()
{
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        items_.clear();
    }
    wake_.notify_all();
    for (auto& thread : threads_)
        thread.join();
}

void WorkerPool::submit(std::function<void()> work, std::function<void()> done)
{
    const std::lock_guard lock(mutex_);
    items_.push_back({std::move(work), std::move(done), Clock::now()});
    if (working_ < eager_)
        put_to_work();
    else if (eager_ < limit_)
        watch_waiting();
}

// One thread more. The caller holds the lock.
void WorkerPool::put_to_work()
{
    ++told_;
    if (++working_ > threads_.size()) {
        // Signals belong to the loop's thread.
        sigset_t all;
        sigset_t before;
        sigfillset(&all);
        ::pthread_sigmask(SIG_SETMASK, &all, &before);
        threads_.emplace_back([this] { thread_main(); });
        ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }
    wake_.notify_one();
}

// The caller holds the lock.
void WorkerPool::watch_waiting()
{
    if (!relief_ && !items_.empty() && working_ < limit_)
        relief_ = loop_.call_at(items_.front().since + kPatience, [this] {
            relief_.reset();
            relieve();
        });
}

// Threads for what has waited too long.
void WorkerPool::relieve()
{
    const std::lock_guard lock(mutex_);
    const auto late = Clock::now() - kPatience;
    for (auto item = items_.begin(); item != items_.end() && item->since <= late && working_ < limit_; ++item)
        put_to_work();
    watch_waiting();
}

void WorkerPool::thread_main()
{
    std::unique_lock lock(mutex_);
    for (;;) {
        wake_.wait(lock, [this] { return stopping_ || told_ > 0; });
        if (stopping_)
            return;
        --told_;
        while (!items_.empty() && !stopping_) {
            Item item = std::move(items_.front());
            items_.pop_front();
            lock.unlock();
            item.work();
            loop_.post_from_thread(std::move(item.done));
            lock.lock();
        }
        --working_;
    }
}

} // namespace facteur::event
