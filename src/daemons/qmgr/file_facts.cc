#include "daemons/qmgr/file_facts.h"

#include "agent/bounce_log.h"
#include "daemons/qmgr/now.h"
#include "queue/queue_file.h"

#include <sys/file.h>

#include <cerrno>

namespace facteur::qmgr {

namespace {

constexpr std::int64_t kSettling = 3; // seconds; longer than a client of a lost cleanup waits before asking again

// No log, or an unreadable one: the reason is not known, the message is.
agent::Reasons deferral_reasons(const queue::Spool& spool, const std::string& id)
{
    const auto log = agent::read_log(spool.path(queue::kDefer, id));
    return log ? agent::reasons_of(*log) : agent::Reasons{};
}

} // namespace

FileFacts read_facts(const queue::Spool& spool, Place place, std::string id)
{
    FileFacts facts;
    facts.id = std::move(id);
    facts.place = place;
    const auto file = queue::QueueFile::open_and_read(spool.path(queue_name(place), facts.id));
    const auto envelope = file ? file->read_envelope() : std::unexpected(file.error());
    const auto states = envelope ? file->read_states() : std::unexpected(envelope.error());
    if (!states) {
        if (states.error().code == EINVAL)
            facts.state = FileFacts::State::corrupt;
        return facts;
    }
    facts.state = FileFacts::State::present;
    facts.sender = envelope->sender();
    facts.arrival_seconds = envelope->arrival_seconds();
    facts.size = file->header().content_size;
    facts.next_try_seconds = file->modified_seconds();
    facts.expire_now = (file->mode() & queue::kExpiredMode) != 0 || envelope->expired_by_admin();
    facts.fresh = now_seconds() - file->modified_seconds() < kSettling;
    if (place == Place::active || place == Place::incoming) // the lock ends with this descriptor
        facts.busy = ::flock(file->fd(), LOCK_EX | LOCK_NB) != 0;
    const auto reasons = place == Place::deferred ? deferral_reasons(spool, facts.id) : agent::Reasons{};
    for (int i = 0; i < envelope->recipients_size(); ++i) {
        if (!queue::is_pending(*states, static_cast<std::size_t>(i)))
            continue;
        FileFacts::Recipient recipient{envelope->recipients(i).address(), {}};
        if (const auto found = reasons.find(recipient.address); found != reasons.end())
            recipient.reason = found->second;
        facts.pending.push_back(std::move(recipient));
    }
    return facts;
}

} // namespace facteur::qmgr
