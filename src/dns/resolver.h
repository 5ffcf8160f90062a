// The DNS, asked through libunbound: its own cache, its own DNSSEC validation, one background thread that never touches
// our state. Answers come back through the event loop.
//
// Files (resolv.conf, the root's trust anchor) are read when the Resolver is made, before a daemon is confined.
#pragma once

#include "dns/record.h"
#include "event/loop.h"

#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct ub_ctx;

namespace facteur::dns {

enum class Failure {
    no_domain, // the name does not exist
    no_data,   // it exists, without records of this type
    temporary, // no answer now, or one that does not validate
    permanent, // the server refuses
    malformed, // an answer without one usable record
    null_mx,   // RFC 7505: the domain takes no mail
};

struct DnsError {
    Failure failure = Failure::temporary;
    std::string text; // "Host or domain name not found. Name service error for name=x type=MX: Host not found"
};

struct Answer {
    std::string name;            // canonical name when aliases were followed, else the name asked for
    std::vector<Record> records; // never empty
    std::uint32_t ttl = 0;
    bool validated = false; // DNSSEC
};
using LookupResult = std::expected<Answer, DnsError>;

enum class Validation { off, dnssec };

struct ResolverOptions {
    Validation validation = Validation::off;
    std::string server;     // "127.0.0.1@5353": ask only this one; empty: as resolv.conf says
    std::string hosts_file; // "/etc/hosts" to let it win over the DNS; empty: not read, as Postfix's DNS lookups do
    event::milliseconds timeout{30'000};
};
// FACTEUR_DNS_SERVER of the environment as `server`: for tests of whole instances.
ResolverOptions options_from_environment();

class Resolver {
public:
    Resolver(event::Loop& loop, ResolverOptions options);
    ~Resolver();
    Resolver(const Resolver&) = delete;
    Resolver& operator=(const Resolver&) = delete;

    // Asks for the name as it is: no search list. A name that no host can have gives no_domain without asking.
    event::Task<LookupResult> lookup(std::string name, Type type);

private:
    struct State;
    std::shared_ptr<State> state_;
};

} // namespace facteur::dns
