#include "daemons/qmgr/file_facts.h"

#include "agent/bounce_log.h"
#include "daemons/qmgr/now.h"
#include "queue/queue_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <unordered_map>

namespace facteur::qmgr {

namespace {

constexpr std::int64_t kSettling = 3; // seconds; longer than a client of a lost cleanup waits before asking again

std::unordered_map<std::string, std::string> deferral_reasons(const queue::Spool& spool, const std::string& id)
{
    std::unordered_map<std::string, std::string> reasons;
    // No log, or an unreadable one: the reason is not known, the message is.
    if (const auto log = agent::read_log(spool.path(queue::kDefer, id)))
        for (const auto& entry : log->entries)
            reasons.insert_or_assign(entry.recipient().address(), entry.dsn().reason());
    return reasons;
}

} // namespace

FileFacts read_facts(const queue::Spool& spool, Place place, std::string id)
{
    FileFacts facts;
    facts.id = std::move(id);
    facts.place = place;
    const auto file = queue::QueueFile::open(spool.path(queue_name(place), facts.id), O_RDONLY);
    const auto envelope = file ? file->read_envelope() : std::unexpected(file.error());
    const auto states = envelope ? file->read_states() : std::unexpected(envelope.error());
    if (!states) {
        if (states.error().code == EINVAL)
            facts.state = FileFacts::State::corrupt;
        return facts;
    }
    struct stat status{};
    if (::fstat(file->fd(), &status) != 0)
        return facts;
    facts.state = FileFacts::State::present;
    facts.sender = envelope->sender();
    facts.arrival_seconds = envelope->arrival_seconds();
    facts.size = file->header().content_size;
    facts.next_try_seconds = file->modified_seconds();
    facts.expire_now = (status.st_mode & queue::kExpiredMode) != 0 || envelope->expired_by_admin();
    facts.fresh = now_seconds() - status.st_mtime < kSettling;
    if (place == Place::active) // the lock ends with this descriptor
        facts.busy = ::flock(file->fd(), LOCK_EX | LOCK_NB) != 0;
    const auto reasons =
        place == Place::deferred ? deferral_reasons(spool, facts.id) : std::unordered_map<std::string, std::string>{};
    for (int i = 0; i < envelope->recipients_size(); ++i) {
        if ((*states)[static_cast<std::size_t>(i)] != static_cast<char>(queue::RecipientState::pending))
            continue;
        FileFacts::Recipient recipient{envelope->recipients(i).address(), {}};
        if (const auto found = reasons.find(recipient.address); found != reasons.end())
            recipient.reason = found->second;
        facts.pending.push_back(std::move(recipient));
    }
    return facts;
}

} // namespace facteur::qmgr
