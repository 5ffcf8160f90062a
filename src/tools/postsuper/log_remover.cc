#include "tools/postsuper/log_remover.h"

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

namespace facteur::postsuper {

namespace {
constexpr std::size_t kHandOver = 64;
constexpr std::size_t kMostWaiting = 4096; // a removal that is interrupted leaves no more logs than these behind
} // namespace

std::vector<SystemError> remove_logs(const queue::Spool& spool, const std::string& id)
{
    std::vector<SystemError> failures;
    for (const auto log : {queue::kBounce, queue::kDefer, queue::kTrace})
        if (const auto removed = spool.remove(log, id); !removed && removed.error().code != ENOENT)
            failures.push_back(removed.error());
    return failures;
}

LogRemover::LogRemover(const queue::Spool& spool) : spool_(spool), thread_([this] { work(); }) {}

void LogRemover::remove(const std::string& id)
{
    gathered_.push_back(id);
    if (gathered_.size() == kHandOver)
        hand_over();
}

void LogRemover::hand_over()
{
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return waiting_.size() < kMostWaiting; });
    std::ranges::move(gathered_, std::back_inserter(waiting_));
    gathered_.clear();
    changed_.notify_all();
}

void LogRemover::work()
{
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [this] { return ends_ || !waiting_.empty(); });
        if (waiting_.empty())
            return;
        const auto ids = std::exchange(waiting_, {});
        changed_.notify_all();
        lock.unlock();
        std::vector<SystemError> failures;
        for (const auto& id : ids)
            std::ranges::move(remove_logs(spool_, id), std::back_inserter(failures));
        lock.lock();
        std::ranges::move(failures, std::back_inserter(failures_));
    }
}

std::vector<SystemError> LogRemover::finish()
{
    if (!thread_.joinable())
        return {};
    hand_over();
    {
        const std::lock_guard lock(mutex_);
        ends_ = true;
        changed_.notify_all();
    }
    thread_.join();
    return std::move(failures_);
}

} // namespace facteur::postsuper
