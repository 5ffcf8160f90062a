// From a destination to the addresses to try, in order: MX, A, AAAA records, the system's own names.
// Sources: RFC 5321 s5.1, RFC 7505, postconf(5) smtp_host_lookup, smtp_dns_support_level.
#pragma once

#include "daemons/smtp/destination.h"
#include "daemons/smtp/trouble.h"
#include "dns/resolver.h"
#include "event/pool.h"

#include <random>
#include <vector>

namespace facteur::smtp_client {

struct Located {
    std::vector<Host> hosts; // empty: see trouble
    Trouble trouble;
    bool we_are_mx = false; // worse ones were cut off: no fallback relay for this destination
};

class Locator {
public:
    // resolver may be null when DNS support is disabled.
    Locator(const Settings& settings, dns::Resolver* resolver, event::WorkerPool& pool)
        : settings_(settings), resolver_(resolver), pool_(pool), random_(std::random_device{}())
    {
    }

    // `destination` outlives the call. What failed softly before makes a host that is not found a soft failure too.
    event::Task<Located> locate(const Destination& destination, Trouble so_far);

private:
    event::Task<void> locate_host(std::string name, bool detect_loops, Located& into);
    event::Task<void> locate_domain(std::string name, bool detect_loops, Located& into);
    event::Task<void> add_addresses(std::string host, std::uint32_t preference, Located& into);
    event::Task<bool> add_from_dns(std::string host, std::uint32_t preference, Located& into);
    event::Task<void> add_from_system(std::string host, std::uint32_t preference, Located& into);
    void exclude_self(const std::string& name, std::uint32_t best, Located& into) const;
    void finish(std::vector<Host>& hosts);
    [[nodiscard]] bool usable(std::string_view address) const;

    const Settings& settings_;
    dns::Resolver* resolver_;
    event::WorkerPool& pool_;
    std::mt19937 random_;
};

} // namespace facteur::smtp_client
