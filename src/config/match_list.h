// Match lists, as mynetworks, relay_domains, debug_peer_list and others use them. Source: postconf(5).
//
// Elements are tried in order, the first that matches decides; "!" negates, "/file" includes a file's lines,
// "type:table" is looked up, ".domain"/"domain" follow parent_domain_matches_subdomains.
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::config {

// Found (any value), not found, or an error text. Given by the caller so that this folder needs no tables.
using TableProbe = std::function<std::expected<bool, std::string>(std::string_view table_spec, std::string_view key)>;

enum class ListKind { text /* exact, folded */, domain, address /* IP address or CIDR */, host /* name and address */ };

class MatchList {
public:
    struct Options {
        ListKind kind = ListKind::text;
        bool parent_matches_subdomains = false; // for domain lists
        std::string parameter;                  // for messages: "mynetworks"
    };
    // Fails on an unreadable /file, a bad network pattern ("bad net/mask pattern: ..."), an unclosed bracket.
    static std::expected<MatchList, std::string> parse(std::string_view list, Options options, TableProbe probe = {});

    // For ListKind::text, domain and address. Error: a table that cannot be read now.
    [[nodiscard]] std::expected<bool, std::string> matches(std::string_view subject) const;
    // For ListKind::host: either the name or the address may match.
    [[nodiscard]] std::expected<bool, std::string> matches_host(std::string_view name, std::string_view address) const;
    [[nodiscard]] bool empty() const;

    MatchList(MatchList&&) noexcept;
    MatchList& operator=(MatchList&&) noexcept;
    ~MatchList();

private:
    struct State;
    explicit MatchList(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

} // namespace facteur::config
