// main.cf and its tables as mail::ResolverSettings: every lookup that mail/rewrite.h may ask for.
#pragma once

#include "config/config.h"
#include "config/match_list.h"
#include "mail/rewrite.h"
#include "table/maps.h"

#include <expected>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::routing {

// How addresses are completed.
mail::RewriteSettings read_rewrite_settings(const config::Config& config);

// Which parameters say where mail goes: the plain ones, or those for address verification probes.
enum class Purpose { delivery, verification };

// Opens all tables when made. The settings refer to it: it must stay where it is and outlive them.
class RoutingTables {
public:
    static std::expected<std::unique_ptr<RoutingTables>, std::string> open(const config::Config& config,
                                                                           Purpose purpose);
    RoutingTables(const RoutingTables&) = delete;
    RoutingTables& operator=(const RoutingTables&) = delete;

    [[nodiscard]] const mail::ResolverSettings& settings() const { return settings_; }
    [[nodiscard]] mail::RewriteSettings rewrite_settings() const { return settings_.rewrite; }
    // Some file behind a table was replaced.
    [[nodiscard]] bool changed() const;
    // Some table may wait for a network.
    [[nodiscard]] bool blocking() const;

private:
    explicit RoutingTables(const config::Config& config) : config_(config) {}
    std::expected<void, std::string> open_all(Purpose purpose);
    std::expected<mail::DomainProbe, std::string> domain_list(const config::StringParameter& parameter,
                                                              config::ListKind kind);
    mail::KeyLookup lookup(const config::StringParameter& parameter);
    std::expected<bool, std::string> probe(std::string_view spec, std::string_view key);
    void fill_parameters(Purpose purpose);
    std::expected<void, std::string> fill_own_addresses();
    [[nodiscard]] bool parent_matches(std::string_view parameter) const;

    const config::Config& config_;
    mail::ResolverSettings settings_;
    std::vector<std::unique_ptr<config::MatchList>> lists_;
    std::vector<std::unique_ptr<table::Maps>> maps_;
    std::map<std::string, std::unique_ptr<table::Table>, std::less<>> list_tables_; // by specification
    std::set<std::string, std::less<>> own_addresses_;
};

} // namespace facteur::routing
