#include "tools/postsuper/remover.h"

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

namespace facteur::postsuper {

namespace {

constexpr std::size_t kBatch = 64;
constexpr std::size_t kMostWaiting = 32; // batches
constexpr int kThreads = 8;              // they wait for the disk, not for a processor

void append(Remover::Result& to, Remover::Result&& from)
{
    std::ranges::move(from.removed, std::back_inserter(to.removed));
    std::ranges::move(from.failures, std::back_inserter(to.failures));
}

} // namespace

std::vector<SystemError> remove_logs(const queue::Spool& spool, const std::string& id)
{
    std::vector<SystemError> failures;
    for (const auto log : {queue::kBounce, queue::kDefer, queue::kTrace})
        if (const auto removed = spool.remove(log, id); !removed && removed.error().code != ENOENT)
            failures.push_back(removed.error());
    return failures;
}

Remover::Remover(const queue::Spool& spool) : spool_(spool)
{
    for (int i = 0; i < kThreads; ++i)
        threads_.emplace_back([this] { work(); });
}

void Remover::remove(Message message)
{
    gathered_.push_back(std::move(message));
    if (gathered_.size() == kBatch)
        hand_over();
}

void Remover::hand_over()
{
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return waiting_.size() < kMostWaiting; });
    waiting_.push_back(std::exchange(gathered_, {}));
    changed_.notify_all();
}

Remover::Result Remover::remove_all(Batch batch) const
{
    Result result;
    for (auto& message : batch) {
        if (const auto removed = spool_.remove(message.queue, message.id); !removed) {
            result.failures.push_back(removed.error());
            continue; // its logs tell of it still
        }
        std::ranges::move(remove_logs(spool_, message.id), std::back_inserter(result.failures));
        result.removed.push_back(std::move(message));
    }
    return result;
}

void Remover::work()
{
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [this] { return ends_ || !waiting_.empty(); });
        if (waiting_.empty())
            return;
        Batch batch = std::move(waiting_.front());
        waiting_.pop_front();
        changed_.notify_all();
        lock.unlock();
        Result result = remove_all(std::move(batch));
        lock.lock();
        append(result_, std::move(result));
    }
}

Remover::Result Remover::results()
{
    const std::lock_guard lock(mutex_);
    return std::exchange(result_, {});
}

Remover::Result Remover::finish()
{
    if (threads_.empty())
        return {};
    hand_over();
    {
        const std::lock_guard lock(mutex_);
        ends_ = true;
    }
    changed_.notify_all();
    for (auto& thread : threads_)
        thread.join();
    threads_.clear();
    return results();
}

} // namespace facteur::postsuper
