// Idle sessions that wait a short while for another message to the same server. Source: CONNECTION_CACHE_README.
//
// This process holds many deliveries at once, so the cache is a map in memory: no descriptor ever travels. The most
// recently used session is taken first, and those in excess of the load time out.
#pragma once

#include "daemons/smtp/session.h"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::smtp_client {

class SessionCache {
public:
    struct Limits {
        milliseconds idle{2000};        // smtp_connection_cache_time_limit
        milliseconds lifetime{300'000}; // smtp_connection_reuse_time_limit, from connect on
        long uses = 0;                  // smtp_connection_reuse_count_limit, 0: none
    };
    SessionCache(event::Loop& loop, Limits limits);
    ~SessionCache();
    SessionCache(const SessionCache&) = delete;
    SessionCache& operator=(const SessionCache&) = delete;

    // A session in order, or nothing.
    SessionPtr take(std::string_view key);
    [[nodiscard]] bool has(std::string_view key) const { return idle_.contains(key); }
    // Keeps it, or says goodbye when it is not fit for more.
    void put(const std::string& key, SessionPtr session);
    void clear();
    [[nodiscard]] std::size_t size() const;

private:
    struct Idle;
    void expire(Idle& idle);
    [[nodiscard]] bool within_limits(const Session& session) const;

    event::Loop& loop_;
    Limits limits_;
    std::map<std::string, std::vector<std::unique_ptr<Idle>>, std::less<>> idle_;
};

// Servers are told apart by name too: what was negotiated may depend on it.
std::string cache_key(const Peer& peer);

} // namespace facteur::smtp_client
