#include "routing/address_mapping.h"

#include "base/text.h"
#include "mail/address.h"
#include "mail/header.h"
#include "routing/routing_tables.h"

#include <fmt/ranges.h>

#include <unordered_set>

namespace facteur::routing {

namespace {

namespace params = config::params;
using Cause = MappingFailure::Cause;

constexpr int kCanonicalDepth = 10; // as Postfix: a canonical table that maps in circles is the administrator's error

std::set<std::string> words(std::string_view list)
{
    std::set<std::string> out;
    for (const auto word : text::split_list(list))
        out.insert(text::to_lower(word));
    return out;
}

// "@other" as a table result: the same user in another domain.
std::string apply_domain_result(std::string_view address, std::string_view result)
{
    if (!result.starts_with('@') || result.size() == 1)
        return std::string(result);
    return std::string(mail::split_address(address).local) + std::string(result);
}

void insert_extension(std::string& address, const std::string& extension)
{
    if (extension.empty())
        return;
    const auto at = address.rfind('@');
    address.insert(at == address.npos ? address.size() : at, extension);
}

MappingFailure too_much()
{
    return {Cause::expansion, "Alias expansion error"};
}

} // namespace

MappingSettings read_mapping_settings(const config::Config& config)
{
    MappingSettings settings;
    settings.rewrite = read_rewrite_settings(config);
    settings.recipient_delimiter = config.get(params::recipient_delimiter);
    settings.always_bcc = config.get(params::always_bcc);
    settings.local_domains = words(config.get(params::mydestination));
    settings.local_domains.insert(text::to_lower(settings.rewrite.myorigin));
    settings.canonical_classes = words(config.get(params::canonical_classes));
    settings.sender_canonical_classes = words(config.get(params::sender_canonical_classes));
    settings.recipient_canonical_classes = words(config.get(params::recipient_canonical_classes));
    settings.virtual_expansion_limit = config.get(params::virtual_alias_expansion_limit);
    settings.virtual_recursion_limit = config.get(params::virtual_alias_recursion_limit);
    return settings;
}

MappingTables open_mapping_tables(const config::Config& config)
{
    const table::TableOptions options;
    const auto open = [&](const config::StringParameter& parameter) {
        return table::Maps(std::string(parameter.name), config.get(parameter), options, config);
    };
    return MappingTables{open(params::canonical_maps),           open(params::sender_canonical_maps),
                         open(params::recipient_canonical_maps), open(params::virtual_alias_maps),
                         open(params::sender_bcc_maps),          open(params::recipient_bcc_maps)};
}

bool MappingTables::changed() const
{
    return canonical.changed() || sender_canonical.changed() || recipient_canonical.changed() ||
           virtual_alias.changed() || sender_bcc.changed() || recipient_bcc.changed();
}

void AddressMapping::tell(std::string_view parameter, std::string_view from, std::string_view to) const
{
    if (watcher_)
        watcher_({parameter, std::string(from), std::string(to)});
}

std::string AddressMapping::complete(std::string_view address) const
{
    return mail::rewrite(address, mail::RewriteContext::local, settings_.rewrite);
}

std::expected<std::optional<std::string>, MappingFailure>
AddressMapping::find(table::Maps& maps, std::string_view address, std::string* extension)
{
    const auto is_local = [this](std::string_view domain) {
        return settings_.local_domains.contains(text::to_lower(domain));
    };
    auto found = maps.find_address(address, settings_.recipient_delimiter, is_local, extension);
    if (!found)
        return std::unexpected(MappingFailure{Cause::table, found.error().text});
    return std::move(*found);
}

std::expected<std::string, MappingFailure> AddressMapping::canonical(std::string address, mail::AddressRole role,
                                                                     const std::string& address_class)
{
    struct Stage {
        const config::StringParameter& parameter;
        table::Maps& maps;
        const std::set<std::string>& classes;
    };
    const bool sender = role == mail::AddressRole::header_sender;
    const Stage stages[] = {
        sender ? Stage{params::sender_canonical_maps, tables_.sender_canonical, settings_.sender_canonical_classes}
               : Stage{params::recipient_canonical_maps, tables_.recipient_canonical,
                       settings_.recipient_canonical_classes},
        {params::canonical_maps, tables_.canonical, settings_.canonical_classes},
    };
    for (const Stage& stage : stages) {
        if (stage.maps.empty() || !stage.classes.contains(address_class))
            continue;
        for (int depth = 0; depth < kCanonicalDepth; ++depth) {
            std::string extension;
            const auto found = find(stage.maps, address, &extension);
            if (!found)
                return std::unexpected(found.error());
            if (!*found)
                break;
            std::string next = complete(mail::to_internal(apply_domain_result(address, **found)));
            insert_extension(next, extension);
            if (text::iequals(next, address))
                break;
            tell(stage.parameter.name, address, next);
            address = std::move(next);
        }
    }
    return address;
}

std::expected<std::vector<std::string>, MappingFailure> AddressMapping::expand(const std::string& address)
{
    std::vector<std::string> open{address};
    std::vector<std::string> finished;
    std::unordered_set<std::string> met{text::to_lower(address)};
    for (long round = 0; !open.empty(); ++round) {
        if (round > settings_.virtual_recursion_limit)
            return std::unexpected(too_much());
        std::vector<std::string> next;
        for (const auto& one : open) {
            std::string extension;
            const auto found = find(tables_.virtual_alias, one, &extension);
            if (!found)
                return std::unexpected(found.error());
            if (!*found) {
                finished.push_back(one);
                continue;
            }
            std::vector<std::string> targets;
            for (const auto& target : mail::header_addresses(**found)) {
                std::string mapped = complete(apply_domain_result(one, target));
                insert_extension(mapped, extension);
                const bool known = text::iequals(mapped, one) || !met.insert(text::to_lower(mapped)).second;
                targets.push_back(mapped);
                (known ? finished : next).push_back(std::move(mapped));
            }
            tell(params::virtual_alias_maps.name, one, fmt::format("{}", fmt::join(targets, ", ")));
            if (static_cast<long>(finished.size() + next.size()) > settings_.virtual_expansion_limit)
                return std::unexpected(too_much());
        }
        open = std::move(next);
    }
    return finished;
}

std::expected<std::vector<std::string>, MappingFailure>
AddressMapping::blind_copies(std::string_view sender, const std::vector<std::string>& recipients)
{
    std::vector<std::string> copies;
    if (!settings_.always_bcc.empty()) {
        copies.push_back(settings_.always_bcc);
        tell(params::always_bcc.name, "", copies.back());
    }
    const auto copy_for = [&](table::Maps& maps, std::string_view parameter,
                              std::string_view address) -> std::expected<void, MappingFailure> {
        const auto found = find(maps, address);
        if (!found)
            return std::unexpected(found.error());
        if (!*found)
            return {};
        copies.push_back(apply_domain_result(address, **found));
        tell(parameter, address, copies.back());
        return {};
    };
    if (auto good = copy_for(tables_.sender_bcc, params::sender_bcc_maps.name, sender); !good)
        return std::unexpected(good.error());
    for (const auto& recipient : recipients)
        if (auto good = copy_for(tables_.recipient_bcc, params::recipient_bcc_maps.name, recipient); !good)
            return std::unexpected(good.error());
    return copies;
}

} // namespace facteur::routing
