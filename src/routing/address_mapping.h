// What cleanup's tables make of an envelope address: canonical mapping, virtual alias expansion, blind copies.
// Source: cleanup(8), canonical(5), virtual(5), ADDRESS_REWRITING_README.
#pragma once

#include "config/config.h"
#include "mail/content_pass.h"
#include "mail/rewrite.h"
#include "table/maps.h"

#include <expected>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::routing {

// The parameters that say which tables are used for what.
struct MappingSettings {
    mail::RewriteSettings rewrite;
    std::string recipient_delimiter;
    std::string always_bcc;
    std::set<std::string> local_domains; // plain names of mydestination and myorigin, for bare-user table keys
    std::set<std::string> canonical_classes;
    std::set<std::string> sender_canonical_classes;
    std::set<std::string> recipient_canonical_classes;
    long virtual_expansion_limit = 1000;
    long virtual_recursion_limit = 1000;
};
MappingSettings read_mapping_settings(const config::Config& config);

// Asked on behalf of one message at a time.
struct MappingTables {
    table::Maps canonical;
    table::Maps sender_canonical;
    table::Maps recipient_canonical;
    table::Maps virtual_alias;
    table::Maps sender_bcc;
    table::Maps recipient_bcc;

    [[nodiscard]] bool changed() const;
};
MappingTables open_mapping_tables(const config::Config& config);

// A table that cannot answer, or an expansion beyond its limits.
struct MappingFailure {
    enum class Cause { table, expansion } cause;
    std::string text;
};

// One change, for whoever wants to watch: the parameter whose table had it.
struct MappingStep {
    std::string_view parameter;
    std::string from;
    std::string to; // several addresses with ", " between
};
using MappingWatcher = std::function<void(const MappingStep&)>;

// Borrows settings and tables. Addresses are in internal form.
class AddressMapping {
public:
    AddressMapping(const MappingSettings& settings, MappingTables& tables, MappingWatcher watcher = {})
        : settings_(settings), tables_(tables), watcher_(std::move(watcher))
    {
    }

    // trivial-rewrite's completion, in the local context.
    [[nodiscard]] std::string complete(std::string_view address) const;
    // The table of the role first, then canonical_maps, each only for the classes of addresses it is meant for.
    // `address_class`: "envelope_sender", "header_recipient", ...
    std::expected<std::string, MappingFailure> canonical(std::string address, mail::AddressRole role,
                                                         const std::string& address_class);
    // virtual_alias_maps, breadth first; an address that maps to itself, or was met before, stays as it is.
    std::expected<std::vector<std::string>, MappingFailure> expand(const std::string& address);
    // always_bcc, and what sender_bcc_maps and recipient_bcc_maps have for these.
    std::expected<std::vector<std::string>, MappingFailure> blind_copies(std::string_view sender,
                                                                         const std::vector<std::string>& recipients);

private:
    std::expected<std::optional<std::string>, MappingFailure> find(table::Maps& maps, std::string_view address,
                                                                   std::string* extension = nullptr);
    void tell(std::string_view parameter, std::string_view from, std::string_view to) const;

    const MappingSettings& settings_;
    MappingTables& tables_;
    MappingWatcher watcher_;
};

} // namespace facteur::routing
