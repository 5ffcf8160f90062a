// Where mail goes, with the reasons: the resolver's own answers, and what it looked at on the way to them.
#include "base/text.h"
#include "routing/routing_tables.h"
#include "tools/postfix/explain.h"

#include <array>

namespace facteur::postfix_command {

namespace {

namespace params = config::params;
using config::Config;
using config::MasterEntry;

// What the resolver found, by the parameter that has it.
struct Findings {
    std::string local;         // what made the domain ours
    std::string transport_map; // "transport_maps: example.org gives smtp:[mx]"
    std::string transport_map_result;
    std::string sender_transport;
    std::string sender_relayhost;
    std::vector<std::string> warnings;
};

mail::KeyLookup watched(mail::KeyLookup lookup, std::string_view parameter, std::string& note,
                        std::string* result = nullptr)
{
    if (!lookup)
        return lookup;
    return [lookup = std::move(lookup), parameter, &note, result](std::string_view key, mail::KeyPart part) {
        auto answer = lookup(key, part);
        if (answer && *answer) {
            note = fmt::format("{}: {} gives {}", parameter, key, **answer);
            if (result != nullptr)
                *result = **answer;
        }
        return answer;
    };
}

mail::DomainProbe watched(mail::DomainProbe probe, std::string_view parameter, std::string& note)
{
    if (!probe)
        return probe;
    return [probe = std::move(probe), parameter, &note](std::string_view domain) {
        auto answer = probe(domain);
        if (answer && *answer)
            note = fmt::format("{} has {}", parameter, domain);
        return answer;
    };
}

mail::ResolverSettings watched(mail::ResolverSettings settings, Findings& found)
{
    settings.is_local_domain = watched(std::move(settings.is_local_domain), "mydestination", found.local);
    settings.is_local_address =
        watched(std::move(settings.is_local_address), "inet_interfaces or proxy_interfaces", found.local);
    settings.transport_maps =
        watched(std::move(settings.transport_maps), "transport_maps", found.transport_map, &found.transport_map_result);
    settings.sender_dependent_relayhost_maps = watched(std::move(settings.sender_dependent_relayhost_maps),
                                                       "sender_dependent_relayhost_maps", found.sender_relayhost);
    settings.sender_dependent_default_transport_maps =
        watched(std::move(settings.sender_dependent_default_transport_maps), "sender_dependent_default_transport_maps",
                found.sender_transport);
    settings.warn = [&found](const std::string& text) { found.warnings.push_back(text); };
    return settings;
}

// Domains may stand anywhere in a list or table: the parameter is what an administrator looks for.
Decision class_of(const mail::Resolution& resolution, const Findings& found)
{
    switch (resolution.address_class) {
    case mail::AddressClass::local:
        return {"local", found.local.empty() ? "an address without a domain is ours" : found.local};
    case mail::AddressClass::virtual_alias:
        return {"virtual alias", "virtual_alias_domains"};
    case mail::AddressClass::virtual_mailbox:
        return {"virtual mailbox", "virtual_mailbox_domains"};
    case mail::AddressClass::relay:
        return {"relay", "relay_domains"};
    case mail::AddressClass::other:
        break;
    }
    return {"default", "no domain list has it"};
}

std::string shown(const Config& config, const config::ParameterBase& parameter)
{
    const int line = config.line_of(parameter.name);
    return fmt::format("{} = {} ({})", parameter.name, config.value(parameter.name).value_or(""),
                       line > 0 ? fmt::format("main.cf, line {}", line) : "default");
}

const config::StringParameter& transport_parameter(mail::AddressClass address_class)
{
    switch (address_class) {
    case mail::AddressClass::local:
        return params::local_transport;
    case mail::AddressClass::virtual_mailbox:
        return params::virtual_transport;
    case mail::AddressClass::relay:
        return params::relay_transport;
    default:
        return params::default_transport;
    }
}

bool found_something(const std::string& note)
{
    return !note.empty() && !text::iends_with(note, " gives dunno");
}

std::string transport_reason(const Config& config, const mail::Resolution& resolution, const Findings& found)
{
    if (!mail::split_transport(found.transport_map_result).transport.empty())
        return found.transport_map;
    if (resolution.address_class == mail::AddressClass::virtual_alias)
        return "virtual_alias_maps has no such address";
    if (resolution.address_class == mail::AddressClass::other && found_something(found.sender_transport))
        return found.sender_transport;
    return shown(config, transport_parameter(resolution.address_class));
}

std::string nexthop_reason(const Config& config, const mail::Resolution& resolution, const Findings& found)
{
    using mail::AddressClass;
    const auto rule = mail::split_transport(found.transport_map_result);
    if (!rule.nexthop.empty())
        return found.transport_map;
    if (!rule.transport.empty())
        return "the recipient's domain";
    if (resolution.address_class == AddressClass::virtual_alias)
        return "the text that the sender is told";
    const bool by_sender = resolution.address_class == AddressClass::other && found_something(found.sender_transport);
    const auto& parameter = transport_parameter(resolution.address_class);
    if (!by_sender && !mail::split_transport(config.get(parameter)).nexthop.empty())
        return shown(config, parameter);
    if (by_sender && found.sender_transport.ends_with(":" + resolution.nexthop) && !resolution.nexthop.empty())
        return found.sender_transport;
    const bool off_host =
        resolution.address_class == AddressClass::relay || resolution.address_class == AddressClass::other;
    if (off_host && found_something(found.sender_relayhost))
        return found.sender_relayhost;
    if (off_host && !config.get(params::relayhost).empty())
        return shown(config, params::relayhost);
    return "the recipient's domain";
}

Limit limit_of(const Config& config, const std::string& transport, std::string_view suffix,
               const config::ParameterBase& fallback)
{
    const std::string name = fmt::format("{}{}", transport, suffix);
    const int line = config.line_of(name);
    std::string from(fallback.name);
    if (line > 0)
        from = fmt::format("main.cf, line {}", line);
    else if (config.explicit_text(name))
        from = "master.cf";
    else if (config::find_parameter(name) != nullptr)
        from = "default";
    return {name, config.value(name).value_or(""), from};
}

std::vector<Limit> limits_of(const Config& config, const std::string& transport)
{
    struct Row {
        std::string_view suffix;
        const config::ParameterBase& fallback;
    };
    const Row rows[] = {
        {"_initial_destination_concurrency", params::initial_destination_concurrency},
        {"_destination_concurrency_limit", params::default_destination_concurrency_limit},
        {"_destination_recipient_limit", params::default_destination_recipient_limit},
        {"_destination_rate_delay", params::default_destination_rate_delay},
        {"_transport_rate_delay", params::default_transport_rate_delay},
    };
    std::vector<Limit> out;
    for (const Row& row : rows)
        out.push_back(limit_of(config, transport, row.suffix, row.fallback));
    return out;
}

std::string describe_service(const Config& config, const std::vector<MasterEntry>& services, std::string_view transport)
{
    const MasterEntry* const entry = config::find_transport(services, transport);
    if (entry == nullptr)
        return {};
    const long limit = entry->process_limit >= 0 ? entry->process_limit : config.get(params::default_process_limit);
    return fmt::format("{}, master.cf line {}: program {}, {}", entry->service_key(), entry->line, entry->program,
                       limit == 0 ? "any number of deliveries at once"
                                  : fmt::format("at most {} deliveries at once", limit));
}

} // namespace

std::expected<Route, std::string> explain_route(const Config& rewrite_config, const Config& queue_config,
                                                const std::vector<MasterEntry>& services, const std::string& sender,
                                                const std::string& recipient)
{
    const auto tables = routing::RoutingTables::open(rewrite_config, routing::Purpose::delivery);
    if (!tables)
        return std::unexpected(tables.error());
    Findings found;
    const auto resolution = mail::resolve(sender, recipient, watched((*tables)->settings(), found));
    if (!resolution)
        return std::unexpected(fmt::format("{}: {}", recipient, resolution.error().text));
    Route route;
    route.recipient = resolution->recipient;
    route.error = resolution->error;
    route.warnings = std::move(found.warnings);
    if (resolution->transport.empty())
        return route;
    route.address_class = class_of(*resolution, found);
    route.transport = {resolution->transport, transport_reason(rewrite_config, *resolution, found)};
    route.nexthop = {resolution->nexthop, nexthop_reason(rewrite_config, *resolution, found)};
    route.service = describe_service(queue_config, services, resolution->transport);
    route.limits = limits_of(queue_config, resolution->transport);
    return route;
}

} // namespace facteur::postfix_command
