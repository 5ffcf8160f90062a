#include "routing/routing_tables.h"

#include "base/log.h"
#include "base/text.h"
#include "config/computed.h"

#include <algorithm>

namespace facteur::routing {

namespace {

namespace params = config::params;
using config::ListKind;

// The parameters that verification replaces by its own.
struct RouteParameters {
    const config::StringParameter& local_transport;
    const config::StringParameter& virtual_transport;
    const config::StringParameter& relay_transport;
    const config::StringParameter& default_transport;
    const config::StringParameter& relayhost;
    const config::StringParameter& transport_maps;
    const config::StringParameter& sender_dependent_relayhost_maps;
    const config::StringParameter& sender_dependent_default_transport_maps;
};

const RouteParameters kDelivery{params::local_transport,
                                params::virtual_transport,
                                params::relay_transport,
                                params::default_transport,
                                params::relayhost,
                                params::transport_maps,
                                params::sender_dependent_relayhost_maps,
                                params::sender_dependent_default_transport_maps};
const RouteParameters kVerification{params::address_verify_local_transport,
                                    params::address_verify_virtual_transport,
                                    params::address_verify_relay_transport,
                                    params::address_verify_default_transport,
                                    params::address_verify_relayhost,
                                    params::address_verify_transport_maps,
                                    params::address_verify_sender_dependent_relayhost_maps,
                                    params::address_verify_sender_dependent_default_transport_maps};

const RouteParameters& route_parameters(Purpose purpose)
{
    return purpose == Purpose::delivery ? kDelivery : kVerification;
}

} // namespace

std::expected<std::unique_ptr<RoutingTables>, std::string> RoutingTables::open(const config::Config& config,
                                                                               Purpose purpose)
{
    std::unique_ptr<RoutingTables> tables(new RoutingTables(config));
    if (const auto opened = tables->open_all(purpose); !opened)
        return std::unexpected(opened.error());
    return tables;
}

bool RoutingTables::parent_matches(std::string_view parameter) const
{
    const auto names = text::split_list(config_.get(params::parent_domain_matches_subdomains));
    return std::ranges::find(names, parameter) != names.end();
}

std::expected<bool, std::string> RoutingTables::probe(std::string_view spec, std::string_view key)
{
    auto found = list_tables_.find(spec);
    if (found == list_tables_.end())
        found = list_tables_.emplace(std::string(spec), table::open_table(spec, {}, config_)).first;
    const auto answer = found->second->lookup(key);
    if (!answer)
        return std::unexpected(answer.error().text);
    return answer->has_value();
}

std::expected<mail::DomainProbe, std::string> RoutingTables::domain_list(const config::StringParameter& parameter,
                                                                         ListKind kind)
{
    const std::string& text = config_.get(parameter);
    if (text::trim(text).empty())
        return mail::DomainProbe{};
    auto list =
        config::MatchList::parse(text, {kind, parent_matches(parameter.name), std::string(parameter.name)},
                                 [this](std::string_view spec, std::string_view key) { return probe(spec, key); });
    if (!list)
        return std::unexpected(list.error());
    // The first lookup opens a table: that has to happen while files are still within reach.
    if (const auto tried = list->matches("unlikely.invalid"); !tried)
        log::warning("{}: {}", parameter.name, tried.error());
    lists_.push_back(std::make_unique<config::MatchList>(std::move(*list)));
    const config::MatchList& kept = *lists_.back();
    return [&kept](std::string_view domain) -> std::expected<bool, mail::LookupFailure> {
        const auto answer = kept.matches(domain);
        if (!answer)
            return std::unexpected(mail::LookupFailure{answer.error()});
        return *answer;
    };
}

mail::KeyLookup RoutingTables::lookup(const config::StringParameter& parameter)
{
    if (text::trim(config_.get(parameter)).empty())
        return {};
    maps_.push_back(std::make_unique<table::Maps>(std::string(parameter.name), config_.get(parameter),
                                                  table::TableOptions{}, config_));
    table::Maps& maps = *maps_.back();
    return [&maps](std::string_view key, mail::KeyPart part) -> mail::LookupAnswer {
        auto answer =
            maps.find(key, part == mail::KeyPart::partial ? table::Maps::Patterns::skip : table::Maps::Patterns::use);
        if (!answer)
            return std::unexpected(mail::LookupFailure{answer.error().text});
        return std::move(*answer);
    };
}

mail::RewriteSettings read_rewrite_settings(const config::Config& config)
{
    return {config.get(params::myorigin),
            config.get(params::mydomain),
            config.get(params::remote_header_rewrite_domain),
            config.get(params::append_at_myorigin),
            config.get(params::append_dot_mydomain),
            config.get(params::swap_bangpath),
            config.get(params::allow_percent_hack)};
}

void RoutingTables::fill_parameters(Purpose purpose)
{
    const RouteParameters& route = route_parameters(purpose);
    settings_.rewrite = read_rewrite_settings(config_);
    settings_.local_transport = config_.get(route.local_transport);
    settings_.virtual_transport = config_.get(route.virtual_transport);
    settings_.relay_transport = config_.get(route.relay_transport);
    settings_.default_transport = config_.get(route.default_transport);
    settings_.relayhost = config_.get(route.relayhost);
    settings_.myhostname = config_.get(params::myhostname);
    settings_.recipient_delimiter = config_.get(params::recipient_delimiter);
    settings_.empty_address_recipient = config_.get(params::empty_address_recipient);
    settings_.empty_address_relayhost_maps_lookup_key = config_.get(params::empty_address_relayhost_maps_lookup_key);
    settings_.empty_address_default_transport_maps_lookup_key =
        config_.get(params::empty_address_default_transport_maps_lookup_key);
    settings_.resolve_dequoted_address = config_.get(params::resolve_dequoted_address);
    settings_.resolve_null_domain = config_.get(params::resolve_null_domain);
    settings_.resolve_numeric_domain = config_.get(params::resolve_numeric_domain);
    settings_.show_user_unknown_table_name = config_.get(params::show_user_unknown_table_name);
    settings_.owner_request_special = config_.get(params::owner_request_special);
    settings_.allow_min_user = config_.get(params::allow_min_user);
    settings_.transport_maps_parent_plain = parent_matches(params::transport_maps.name);
    settings_.warn = [](const std::string& text) { log::warning("{}", text); };
}

std::expected<void, std::string> RoutingTables::fill_own_addresses()
{
    for (const auto* parameter : {&params::inet_interfaces, &params::proxy_interfaces}) {
        const auto addresses = config::own_addresses(config_.get(*parameter), config_.get(params::inet_protocols));
        if (!addresses)
            return std::unexpected(addresses.error());
        own_addresses_.insert(addresses->begin(), addresses->end());
    }
    settings_.is_local_address = [this](std::string_view address) -> std::expected<bool, mail::LookupFailure> {
        return own_addresses_.contains(address);
    };
    return {};
}

std::expected<void, std::string> RoutingTables::open_all(Purpose purpose)
{
    fill_parameters(purpose);
    if (auto filled = fill_own_addresses(); !filled)
        return filled;
    struct DomainList {
        const config::StringParameter& parameter;
        ListKind kind;
        mail::DomainProbe& into;
    };
    const DomainList lists[] = {
        {params::mydestination, ListKind::text, settings_.is_local_domain},
        {params::virtual_alias_domains, ListKind::text, settings_.is_virtual_alias_domain},
        {params::virtual_mailbox_domains, ListKind::text, settings_.is_virtual_mailbox_domain},
        {params::relay_domains, ListKind::domain, settings_.is_relay_domain},
    };
    for (const DomainList& each : lists) {
        auto probe = domain_list(each.parameter, each.kind);
        if (!probe)
            return std::unexpected(probe.error());
        each.into = std::move(*probe);
    }
    const RouteParameters& route = route_parameters(purpose);
    settings_.transport_maps = lookup(route.transport_maps);
    settings_.sender_dependent_relayhost_maps = lookup(route.sender_dependent_relayhost_maps);
    settings_.sender_dependent_default_transport_maps = lookup(route.sender_dependent_default_transport_maps);
    return {};
}

bool RoutingTables::changed() const
{
    return std::ranges::any_of(maps_, [](const auto& maps) { return maps->changed(); }) ||
           std::ranges::any_of(list_tables_, [](const auto& each) { return each.second->changed(); });
}

bool RoutingTables::blocking() const
{
    return std::ranges::any_of(maps_, [](const auto& maps) { return maps->blocking(); }) ||
           std::ranges::any_of(list_tables_, [](const auto& each) { return each.second->blocking(); });
}

} // namespace facteur::routing
