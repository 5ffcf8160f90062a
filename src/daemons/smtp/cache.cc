#include "daemons/smtp/cache.h"

#include <algorithm>

namespace facteur::smtp_client {

struct SessionCache::Idle final : event::Deadline {
    Idle(SessionCache& in, std::string under, SessionPtr kept)
        : cache(in), key(std::move(under)), session(std::move(kept))
    {
    }
    void expired() override { cache.expire(*this); }

    SessionCache& cache;
    std::string key;
    SessionPtr session;
};

std::string cache_key(const Peer& peer)
{
    return peer.relay();
}

SessionCache::SessionCache(event::Loop& loop, Limits limits) : loop_(loop), limits_(limits) {}

SessionCache::~SessionCache()
{
    clear();
}

void SessionCache::clear()
{
    for (auto& [key, sessions] : idle_)
        for (auto& idle : sessions)
            idle->session->leave();
    idle_.clear();
}

std::size_t SessionCache::size() const
{
    std::size_t count = 0;
    for (const auto& [key, sessions] : idle_)
        count += sessions.size();
    return count;
}

bool SessionCache::within_limits(const Session& session) const
{
    if (limits_.uses > 0 && session.uses >= limits_.uses)
        return false;
    return event::Clock::now() - session.opened() < limits_.lifetime;
}

SessionPtr SessionCache::take(std::string_view key)
{
    const auto found = idle_.find(key);
    if (found == idle_.end())
        return nullptr;
    auto& sessions = found->second;
    SessionPtr session;
    while (!session && !sessions.empty()) {
        session = std::move(sessions.back()->session);
        sessions.pop_back();
        if (!session->fit_for_reuse())
            session.reset();
    }
    if (sessions.empty())
        idle_.erase(found);
    if (session)
        session->reused = true;
    return session;
}

void SessionCache::put(const std::string& key, SessionPtr session)
{
    if (!within_limits(*session) || !session->fit_for_reuse()) {
        if (!session->said_goodbye)
            session->leave();
        return;
    }
    auto idle = std::make_unique<Idle>(*this, key, std::move(session));
    loop_.arm(*idle, limits_.idle);
    idle_[key].push_back(std::move(idle));
}

// Destroys the entry that calls.
void SessionCache::expire(Idle& idle)
{
    if (idle.session->fit_for_reuse())
        idle.session->leave();
    const auto found = idle_.find(idle.key);
    std::erase_if(found->second, [&idle](const auto& entry) { return entry.get() == &idle; });
    if (found->second.empty())
        idle_.erase(found);
}

} // namespace facteur::smtp_client
