// Who is at an address: its name by reverse lookup, believed only when the name leads back to the address.
#pragma once

#include "daemons/smtpd/client.h"
#include "event/pool.h"
#include "net/address.h"

#include <string>
#include <unordered_map>

namespace facteur::smtpd {

struct LookedUp {
    Client client;       // names only
    std::string warning; // worth a log line; empty when all is well
};
// Blocking: asks the system's resolver (hosts, DNS). Any thread.
LookedUp look_up_client(const net::SocketAddress& peer);

// Remembers names for a short while, so that a busy client costs one lookup a minute.
class PeerNames {
public:
    PeerNames(event::Loop& loop, event::WorkerPool& pool, bool look_up) : loop_(loop), pool_(pool), look_up_(look_up) {}
    event::Task<Client> identify(net::SocketAddress peer);

private:
    struct Known {
        Client client;
        event::Clock::time_point expires;
    };
    event::Loop& loop_;
    event::WorkerPool& pool_;
    bool look_up_;
    std::unordered_map<std::string, Known> known_;
};

} // namespace facteur::smtpd
