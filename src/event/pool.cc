#include "event/pool.h"

#include <csignal>

namespace facteur::event {

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
    items_.push_back({std::move(work), std::move(done)});
    if (idle_ < items_.size() && threads_.size() < limit_) {
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

void WorkerPool::thread_main()
{
    std::unique_lock lock(mutex_);
    for (;;) {
        ++idle_;
        wake_.wait(lock, [this] { return stopping_ || !items_.empty(); });
        --idle_;
        if (stopping_)
            return;
        Item item = std::move(items_.front());
        items_.pop_front();
        lock.unlock();
        item.work();
        loop_.post_from_thread(std::move(item.done));
        lock.lock();
    }
}

} // namespace facteur::event
