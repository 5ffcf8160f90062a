#include "table/maps.h"

#include "base/log.h"
#include "base/text.h"
#include "mail/address.h"
#include "table/braces.h"

#include <algorithm>

namespace facteur::table {
namespace {

// Partial keys are looked up as headers would write them first ("joe smith"@example.com), then without the quotes.
void add_key(std::vector<AddressKey>& keys, std::string external, std::string internal, bool partial,
             std::string_view extension)
{
    const bool same = external == internal;
    keys.push_back({std::move(external), partial, std::string(extension)});
    if (!same)
        keys.push_back({std::move(internal), partial, std::string(extension)});
}

} // namespace

std::vector<AddressKey> address_keys(std::string_view address, std::string_view recipient_delimiter,
                                     bool domain_is_local)
{
    std::vector<AddressKey> keys;
    const mail::AddressParts parts = mail::split_address(address);
    const mail::Extension split = mail::split_extension(parts.local, recipient_delimiter);
    const std::string domain = parts.has_domain ? "@" + std::string(parts.domain) : std::string{};

    const auto add = [&](std::string_view local, std::string_view at_domain, bool partial, std::string_view extension) {
        add_key(keys, mail::quote_local_part(local).append(at_domain), std::string(local).append(at_domain), partial,
                extension);
    };
    if (address.empty())
        return keys;
    add(parts.local, domain, false, {});
    if (!split.extension.empty())
        add(split.user, domain, true, split.extension);
    if (!parts.has_domain)
        return keys;
    if (domain_is_local) {
        add(parts.local, {}, true, {});
        if (!split.extension.empty())
            add(split.user, {}, true, split.extension);
    }
    if (!parts.domain.empty())
        keys.push_back({domain, true, {}});
    return keys;
}

Maps::Maps(std::string title, std::string_view list, const TableOptions& options, const config::Config& config)
    : title_(std::move(title))
{
    for (const std::string_view spec : split_braced(list))
        tables_.push_back(open_table(spec, options, config));
}

LookupResult Maps::find(std::string_view key, Patterns patterns)
{
    if (key.empty())
        return std::nullopt;
    for (const auto& table : tables_) {
        if (patterns == Patterns::skip && table->is_pattern())
            continue;
        LookupResult result = table->lookup(key);
        const std::string shown = text::printable(key, text::Utf8::allow);
        if (!result) {
            log::warning("{} lookup error for \"{:.100}\"", table->spec(), shown);
            return result;
        }
        if (*result && (*result)->empty()) {
            log::warning("{} lookup of {} returns an empty string result", title_, shown);
            log::warning("{} should return NO RESULT in case of NOT FOUND", title_);
            return std::unexpected(LookupError{});
        }
        if (*result)
            return result;
    }
    return std::nullopt;
}

LookupResult Maps::find_domain(std::string_view domain, Parents parents)
{
    LookupResult result = find(domain);
    while (parents != Parents::none && result && !*result) {
        const auto dot = domain.find('.', 1);
        if (domain.empty() || dot == domain.npos || dot + 1 == domain.size())
            break;
        domain.remove_prefix(parents == Parents::dotted ? dot : dot + 1);
        result = find(domain, Patterns::skip);
    }
    return result;
}

bool Maps::changed() const
{
    return std::ranges::any_of(tables_, [](const auto& table) { return table->changed(); });
}

bool Maps::blocking() const
{
    return std::ranges::any_of(tables_, [](const auto& table) { return table->blocking(); });
}

} // namespace facteur::table
