// Everything a session shares with the others of its process, built once before the process is confined.
#pragma once

#include "config/match_list.h"
#include "daemons/smtpd/lookup.h"
#include "daemons/smtpd/restrictions/rule.h"
#include "daemons/smtpd/services.h"
#include "daemons/smtpd/settings.h"
#include "event/loop.h"
#include "queue/queue_id.h"

#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

namespace facteur::smtpd {

// The lists of networks, hosts and domains that settings hold.
struct Lists {
    config::MatchList mynetworks;
    config::MatchList xclient_hosts;
    config::MatchList xforward_hosts;
    config::MatchList event_limit_exceptions;
    config::MatchList bare_newline_exclusions;
    config::MatchList mydestination;
    config::MatchList noop_commands;
    config::MatchList forbidden_commands;
    config::MatchList fast_flush_domains;
};

// Who is a known recipient, per address class, and what addresses are mapped.
struct AddressTables {
    Lookup local_recipients;
    Lookup virtual_aliases;
    Lookup virtual_mailboxes;
    Lookup relay_recipients;
    Lookup canonical;
    Lookup sender_canonical;
    Lookup recipient_canonical;
};

class Context {
public:
    // Opens tables and reads restriction lists. The error names the parameter that is wrong.
    static std::expected<std::unique_ptr<Context>, std::string> open(const config::Config& config, event::Loop& loop,
                                                                     event::WorkerPool& pool);

    // One "type:table", opened at the first call.
    Lookup& table(std::string_view spec);
    // A list matched against a client, a name, an address. A table that cannot be read counts as `otherwise`.
    static bool matches(const config::MatchList& list, const Client& client, bool otherwise = false);
    static bool matches(const config::MatchList& list, std::string_view name, bool otherwise = false);

    [[nodiscard]] bool is_local_domain(std::string_view domain) const; // mydestination, our address literals, myorigin
    [[nodiscard]] bool is_own_address(std::string_view address) const; // inet_interfaces
    [[nodiscard]] bool tables_changed() const;
    // Below queue_minfree, or too little for this message? statfs(2) is asked once a second.
    [[nodiscard]] bool queue_full(std::uint64_t message_size);
    // The EHLO keywords not offered to this address.
    event::Task<std::uint32_t> discarded_ehlo_keywords(std::string address);
    // local_header_rewrite_clients: may the client's headers be completed as our own?
    event::Task<bool> rewrites_as_local(const Client& client);
    // True the first time a text comes: for warnings that are worth one line a process.
    bool first_time(std::string text);

    const config::Config& config;
    event::Loop& loop;
    event::WorkerPool& pool;
    Settings settings;
    std::optional<Lists> lists;
    std::unique_ptr<AddressTables> addresses;
    RestrictionLists restrictions;
    std::map<std::string, RuleList, std::less<>> classes;              // smtpd_restriction_classes
    table::Maps::Parents access_parents = table::Maps::Parents::plain; // how access tables list subdomains
    LocalDomain local_domain;                                          // is_local_domain as a function
    std::shared_ptr<queue::IdSource> ids; // one for the process: two sources could make the same id
    Services* services = nullptr;         // set after the process was confined
    Observer* observer = nullptr;         // of a dry run
    std::string service_name;             // for anvil and its log lines
    bool standalone = false;

private:
    Context(const config::Config& config, event::Loop& loop, event::WorkerPool& pool);
    std::expected<void, std::string> open_lists();
    void open_address_tables();
    std::expected<void, std::string> open_restrictions();
    std::expected<config::MatchList, std::string> list(const config::StringParameter& parameter, config::ListKind kind);
    std::expected<bool, std::string> probe(std::string_view spec, std::string_view key);
    [[nodiscard]] bool parents_listed(std::string_view parameter) const;

    std::map<std::string, std::unique_ptr<Lookup>, std::less<>> tables_;
    std::map<std::string, std::unique_ptr<table::Table>, std::less<>> list_tables_;
    std::unique_ptr<Lookup> ehlo_keyword_maps_;
    std::vector<std::string> local_rewrite_clients_;
    std::set<std::string, std::less<>> own_addresses_;
    std::set<std::string, std::less<>> said_;
    std::string myorigin_;
    event::Clock::time_point space_checked_{};
    std::uint64_t free_bytes_ = 0;
};

} // namespace facteur::smtpd
