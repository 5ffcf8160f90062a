#include "tools/postsuper/notices.h"

#include "base/log.h"

namespace facteur::postsuper {

namespace {

constexpr int kIdsPerNotice = 2000; // mail waits while the queue manager works through one
constexpr std::size_t kUnderWay = 10;

bool takes_away(ipc::QueueChange::Operation operation)
{
    return operation == ipc::QueueChange::REMOVED || operation == ipc::QueueChange::HELD;
}

} // namespace

void Notices::changed(ipc::QueueChange::Operation operation, const std::string& id)
{
    auto& changes = changes_[operation];
    if (changes.empty() || changes.back().queue_ids_size() == kIdsPerNotice)
        changes.emplace_back().set_operation(operation);
    changes.back().add_queue_ids(id);
    if (takes_away(operation) && changes.back().queue_ids_size() == kIdsPerNotice) {
        tell(changes.back());
        changes.pop_back();
    }
}

void Notices::connect()
{
    if (!std::exchange(tried_, true))
        if (auto connected = ipc::BlockingChannel::connect(socket_))
            qmgr_.emplace(std::move(*connected));
}

bool Notices::heard()
{
    connect();
    return qmgr_.has_value();
}

void Notices::tell(ipc::QueueChange& change)
{
    connect();
    if (qmgr_)
        qmgr_->begin(ipc::Method::queue_change, change, kUnderWay);
}

void Notices::trash_filled()
{
    changes_[ipc::QueueChange::EMPTY_TRASH].emplace_back().set_operation(ipc::QueueChange::EMPTY_TRASH);
}

bool Notices::finish()
{
    for (auto& [operation, changes] : changes_) // in the order of their numbers: the trash comes last
        for (auto& change : changes)
            tell(change);
    changes_.clear();
    if (!qmgr_)
        return false;
    const auto told = qmgr_->finish();
    if (!told)
        log::warning("queue manager: {}: it finds the changes at its next scan", ipc::to_string(told.error()));
    return told.has_value();
}

} // namespace facteur::postsuper
