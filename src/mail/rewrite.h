// Address rewriting and resolving: what trivial-rewrite(8) decides, as functions of settings and tables.
// Sources: trivial-rewrite(8), ADDRESS_REWRITING_README, ADDRESS_CLASS_README, transport(5), postconf(5).
//
// Addresses are in internal (unquoted) form going in and coming out.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::mail {

// A table that cannot answer now: the caller says 4xx or defers.
struct LookupFailure {
    std::string text;
};
using LookupAnswer = std::expected<std::optional<std::string>, LookupFailure>;
// A pattern table (regexp, pcre, cidr) is asked for whole keys only.
enum class KeyPart : std::uint8_t { whole, partial };
using KeyLookup = std::function<LookupAnswer(std::string_view key, KeyPart part)>;
using DomainProbe = std::function<std::expected<bool, LookupFailure>(std::string_view domain)>;

// Which domain completes an address: ours, or remote_header_rewrite_domain.
enum class RewriteContext : std::uint8_t { local, remote };

// The parameters of the same names.
struct RewriteSettings {
    std::string myorigin;
    std::string mydomain;
    std::string remote_header_rewrite_domain; // for RewriteContext::remote
    bool append_at_myorigin = true;
    bool append_dot_mydomain = false;
    bool swap_bangpath = true;
    bool allow_percent_hack = true;
};

// "user" -> user@myorigin, user@host -> user@host.mydomain (append_dot_mydomain), site!user -> user@site,
// user%site -> user@site, @a,@b:user@site -> user@site, user@site. -> user@site. The empty address stays empty. With
// RewriteContext::remote and no remote_header_rewrite_domain nothing is appended.
std::string rewrite(std::string_view address, RewriteContext context, const RewriteSettings& settings);
// The same for external (quoted) form, as it stands in headers and SMTP.
std::string rewrite_external(std::string_view address, RewriteContext context, const RewriteSettings& settings);

enum class AddressClass : std::uint8_t { local, virtual_alias, virtual_mailbox, relay, other };

struct Resolution {
    std::string transport; // "smtp", "local", "error", ...
    std::string nexthop;   // "example.com", "[127.0.0.1]:25", the text for error and retry
    std::string recipient; // internal form, percent hack and local literals undone
    AddressClass address_class = AddressClass::other;
    bool routed = false; // the local part still holds routing (user@a@b, a!b, a%b): never relay it for strangers
    bool error = false;  // no valid address (transport is empty), or it begins with a dash (allow_min_user)
};

struct ResolverSettings {
    RewriteSettings rewrite;

    std::string local_transport = "local"; // $names already expanded: "local:mx.example.com"
    std::string virtual_transport = "virtual";
    std::string relay_transport = "relay";
    std::string default_transport = "smtp";
    std::string relayhost;
    std::string myhostname;
    std::string recipient_delimiter;
    std::string empty_address_recipient = "MAILER-DAEMON";
    std::string empty_address_relayhost_maps_lookup_key = "<>";
    std::string empty_address_default_transport_maps_lookup_key = "<>";
    bool resolve_dequoted_address = true; // "a@b"@here is a@b: a stranger's trick to relay, found before it works
    bool resolve_null_domain = false;
    bool resolve_numeric_domain = false;
    bool show_user_unknown_table_name = true;
    bool owner_request_special = true;
    bool allow_min_user = false;              // off: a recipient that begins with '-' is an error
    bool transport_maps_parent_plain = false; // transport_maps in parent_domain_matches_subdomains: "b.c", not ".b.c"

    // Membership. An empty function means "no domain is".
    DomainProbe is_local_domain;           // mydestination
    DomainProbe is_local_address;          // address text without brackets: inet_interfaces, proxy_interfaces
    DomainProbe is_virtual_alias_domain;   // virtual_alias_domains
    DomainProbe is_virtual_mailbox_domain; // virtual_mailbox_domains
    DomainProbe is_relay_domain;           // relay_domains

    // Tables, asked for one key at a time, already folded to lower case. An empty function means no table.
    KeyLookup transport_maps;
    KeyLookup sender_dependent_relayhost_maps;
    KeyLookup sender_dependent_default_transport_maps;

    std::function<void(const std::string& text)> warn; // odd settings met on the way ("do not list domain ...")
};

// Where mail for `address` from `sender` goes.
std::expected<Resolution, LookupFailure> resolve(std::string_view sender, std::string_view address,
                                                 const ResolverSettings& settings);

// A transport(5) result: "transport:nexthop", either part may be empty ("transport:", ":nexthop").
struct TransportRule {
    std::string_view transport;
    std::string_view nexthop;
};
TransportRule split_transport(std::string_view text);

} // namespace facteur::mail
