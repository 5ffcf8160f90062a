#include "daemons/smtpd/peer_names.h"

#include "base/log.h"
#include "daemons/smtpd/names.h"

#include <netdb.h>

namespace facteur::smtpd {

namespace {

constexpr std::chrono::seconds kRemembered{60};
constexpr std::size_t kMostRemembered = 10'000;

NameStatus status_of(int code)
{
    return code == EAI_AGAIN || code == EAI_SYSTEM || code == EAI_MEMORY ? NameStatus::temporary
                                                                         : NameStatus::permanent;
}

// Does the name have this address?
NameStatus verify(const std::string& name, const net::SocketAddress& peer, std::string& warning)
{
    addrinfo hints{};
    hints.ai_family = peer.family();
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    const int code = ::getaddrinfo(name.c_str(), nullptr, &hints, &list);
    if (code != 0) {
        warning = fmt::format("hostname {} does not resolve to address {}: {}", name, peer.ip(), ::gai_strerror(code));
        return status_of(code);
    }
    bool found = false;
    for (const addrinfo* each = list; each; each = each->ai_next)
        found |= net::SocketAddress(each->ai_addr, each->ai_addrlen).ip() == peer.ip();
    ::freeaddrinfo(list);
    if (!found)
        warning = fmt::format("hostname {} does not resolve to address {}", name, peer.ip());
    return found ? NameStatus::ok : NameStatus::forged;
}

} // namespace

LookedUp look_up_client(const net::SocketAddress& peer)
{
    LookedUp found;
    Client& client = found.client;
    char name[NI_MAXHOST];
    const int code = ::getnameinfo(peer.get(), peer.length(), name, sizeof name, nullptr, 0, NI_NAMEREQD);
    if (code != 0) {
        client.name_status = client.reverse_name_status = status_of(code);
        return found;
    }
    if (!valid_hostname(name)) {
        found.warning = fmt::format("malformed or numeric hostname: {} for {}", name, peer.ip());
        return found;
    }
    client.reverse_name = name;
    client.reverse_name_status = NameStatus::ok;
    client.name_status = verify(name, peer, found.warning);
    if (client.name_status == NameStatus::ok)
        client.name = name;
    return found;
}

event::Task<Client> PeerNames::identify(net::SocketAddress peer)
{
    std::string address = peer.ip();
    const std::string port = std::to_string(peer.port());
    Client client;
    if (look_up_) {
        const auto known = known_.find(address);
        if (known != known_.end() && known->second.expires > loop_.now()) {
            client = known->second.client;
        } else {
            auto work = [peer] { return look_up_client(peer); };
            auto looked_up = pool_.run(work);
            LookedUp found = co_await looked_up;
            if (!found.warning.empty())
                log::warning("{}", found.warning);
            client = std::move(found.client);
            if (known_.size() >= kMostRemembered)
                known_.clear();
            const bool settled = client.name_status != NameStatus::temporary;
            known_.insert_or_assign(address,
                                    Known{client, loop_.now() + (settled ? kRemembered : std::chrono::seconds(5))});
        }
    }
    client.address = std::move(address);
    client.port = port;
    co_return client;
}

} // namespace facteur::smtpd
