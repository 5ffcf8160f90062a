// The delivery agent: what all deliveries of the process share, and one delivery as a walk over servers until every
// recipient is settled. Source: smtp(8).
//
//   for each destination of the nexthop, then each fallback relay
//     for each address of it, best first          (smtp_mx_address_limit, smtp_mx_session_limit)
//       a kept session, or connect and shake hands
//       one transaction for all recipients that are left
//       taken or refused for good: settled.  Refused for now: left for the next server, if there is one
//   still left: the last trouble decides
#pragma once

#include "agent/agent.h"
#include "config/match_list.h"
#include "daemons/smtp/cache.h"
#include "daemons/smtp/locate.h"
#include "daemons/smtp/message.h"
#include "daemons/smtp/settings.h"
#include "daemons/smtp/transaction.h"
#include "table/maps.h"

#include <memory>
#include <optional>
#include <vector>

namespace facteur::smtp_client {

// Tables that speak about a server's address.
struct ServerTables {
    table::Maps discard_keywords; // smtp_discard_ehlo_keyword_address_maps
    table::Maps pix_workarounds;  // smtp_pix_workaround_maps
};

class Client {
public:
    Client(service::Process& process, Settings settings);

    event::Task<void> deliver(agent::Delivery& delivery);
    void drop_idle_sessions() { cache_.clear(); }

private:
    friend class Attempt;
    // smtp_connection_cache_on_demand, where the queue manager asks for it; smtp_connection_cache_destinations.
    [[nodiscard]] bool keeps_sessions(std::string_view nexthop, std::uint32_t deliver_flags) const;
    // A socket address to connect from, if any.
    [[nodiscard]] std::optional<net::SocketAddress> source_for(const Host& host) const;

    event::Loop& loop_;
    Settings settings_;
    ServerTables tables_;
    std::optional<config::MatchList> kept_destinations_;
    std::unique_ptr<dns::Resolver> resolver_;
    Locator locator_;
    SessionCache cache_;
};

// One delivery.
class Attempt {
public:
    Attempt(Client& client, agent::Delivery& delivery);
    event::Task<void> run();

private:
    // What outcomes need to know of the session, which by then serves others.
    struct Conversation {
        std::string relay;
        std::string remote_mta;
        std::string_view action; // "relayed" or "delivered"
    };
    enum class Last { no, yes }; // no other server could be tried for whoever is left
    event::Task<void> try_destination(const Destination& destination);
    event::Task<void> try_host(const Destination& destination, const Host& host, bool last_host);
    event::Task<SessionPtr> open_session(const Destination& destination, const Host& host, Last last);
    event::Task<std::expected<net::StreamPtr, Trouble>> connect(const Destination& destination, const Host& host);
    event::Task<bool> greet(Session& session, const Destination& destination, Last last);
    event::Task<bool> converse(SessionPtr session, Last last); // false: a kept session that proved dead
    event::Task<void> part(SessionPtr session, const TransactionResult& result);

    [[nodiscard]] Message message() const;
    event::Task<void> settle(const TransactionResult& result, const Conversation& with, Last last);
    event::Task<void> settle_taken(int index, const Reply& reply, const Conversation& with);
    // Settles one recipient, or leaves it for the next server. A copy of the trouble outlives the waits.
    event::Task<void> settle_failed(int index, Trouble trouble, const std::string& relay, Last last);
    event::Task<void> settle_rest(Trouble trouble, std::string relay, Last last, bool throttle);
    event::Task<void> settle_leftovers();
    void excuse_configuration();
    [[nodiscard]] bool retryable(const Trouble& trouble) const;
    void drop_settled();

    Client& client_;
    const Settings& settings_;
    agent::Delivery& delivery_;
    std::vector<int> left_; // recipients without an outcome
    Trouble trouble_;
    bool final_destination_ = false;
    bool fallback_tried_ = false;
    std::size_t addresses_ = 0; // tried for this destination
    std::size_t sessions_ = 0;
    std::string first_destination_;
};

} // namespace facteur::smtp_client
