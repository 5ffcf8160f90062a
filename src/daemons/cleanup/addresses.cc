#include "daemons/cleanup/addresses.h"

#include "base/log.h"
#include "base/text.h"
#include "ipc/flags.h"
#include "mail/address.h"

#include <algorithm>

namespace facteur::cleanup {

namespace {

constexpr int kCanonicalDepth = 10; // as Postfix: a canonical table that maps in circles is the administrator's error

Refusal table_failure(const table::LookupError& error)
{
    log::warning("{}", error.text);
    return Refusal{"4.3.0", "queue file write error", true};
}

// "@other" as a table result: the same user in another domain.
std::string apply_domain_result(std::string_view address, std::string_view result)
{
    if (!result.starts_with('@') || result.size() == 1)
        return std::string(result);
    return std::string(mail::split_address(address).local) + std::string(result);
}

} // namespace

bool Addresses::is_local(std::string_view domain) const
{
    return settings_.local_domains.contains(text::to_lower(domain));
}

std::string Addresses::complete(std::string_view address) const
{
    return mail::rewrite(address, mail::RewriteContext::local, settings_.rewrite);
}

// The table of the role first, then canonical_maps, each only for the classes of addresses it is meant for.
std::expected<std::string, Refusal> Addresses::canonical(std::string address, mail::AddressRole role,
                                                         const std::string& address_class)
{
    const bool sender = role == mail::AddressRole::header_sender;
    const auto& own_classes = sender ? settings_.sender_canonical_classes : settings_.recipient_canonical_classes;
    table::Maps& own = sender ? tables_.sender_canonical : tables_.recipient_canonical;
    table::Maps* const tables[] = {own_classes.contains(address_class) ? &own : nullptr,
                                   settings_.canonical_classes.contains(address_class) ? &tables_.canonical : nullptr};
    for (table::Maps* const maps : tables) {
        if (!maps || maps->empty())
            continue;
        for (int depth = 0; depth < kCanonicalDepth; ++depth) {
            std::string extension;
            const auto found = maps->find_address(
                address, settings_.recipient_delimiter, [this](std::string_view domain) { return is_local(domain); },
                &extension);
            if (!found)
                return std::unexpected(table_failure(found.error()));
            if (!*found)
                break;
            std::string next = complete(mail::to_internal(apply_domain_result(address, **found)));
            if (!extension.empty()) {
                const auto at = next.rfind('@');
                next.insert(at == next.npos ? next.size() : at, extension);
            }
            if (text::iequals(next, address))
                break;
            address = std::move(next);
        }
    }
    return address;
}

std::string Addresses::map_header(std::string_view address, mail::AddressRole role)
{
    if (mapping_ == Mapping::off || address.empty())
        return std::string(address);
    auto mapped = canonical(std::string(address), role,
                            role == mail::AddressRole::header_sender ? "header_sender" : "header_recipient");
    if (mapped)
        return *mapped;
    failure_ = mapped.error();
    return std::string(address);
}

std::expected<std::string, Refusal> Addresses::sender(std::string_view address)
{
    if (address.empty())
        return std::string();
    std::string completed = complete(address);
    if (mapping_ == Mapping::off)
        return completed;
    return canonical(std::move(completed), mail::AddressRole::header_sender, "envelope_sender");
}

std::expected<std::vector<std::string>, Refusal> Addresses::expand_virtual(const std::string& address)
{
    std::vector<std::string> open{address};
    std::vector<std::string> finished;
    std::unordered_set<std::string> met{text::to_lower(address)};
    // Breadth first; an address that maps to itself, or was met before, stays as it is.
    for (long round = 0; !open.empty(); ++round) {
        if (round > settings_.virtual_recursion_limit)
            return std::unexpected(Refusal{"4.6.0", "Alias expansion error", true});
        std::vector<std::string> next;
        for (const auto& one : open) {
            std::string extension;
            const auto found = tables_.virtual_alias.find_address(
                one, settings_.recipient_delimiter, [this](std::string_view domain) { return is_local(domain); },
                &extension);
            if (!found)
                return std::unexpected(table_failure(found.error()));
            if (!*found) {
                finished.push_back(one);
                continue;
            }
            for (const auto& target : mail::header_addresses(**found)) {
                std::string mapped = complete(apply_domain_result(one, target));
                if (!extension.empty()) {
                    const auto at = mapped.rfind('@');
                    mapped.insert(at == mapped.npos ? mapped.size() : at, extension);
                }
                if (text::iequals(mapped, one) || !met.insert(text::to_lower(mapped)).second)
                    finished.push_back(mapped);
                else
                    next.push_back(mapped);
            }
            if (static_cast<long>(finished.size() + next.size()) > settings_.virtual_expansion_limit)
                return std::unexpected(Refusal{"4.6.0", "Alias expansion error", true});
        }
        open = std::move(next);
    }
    return finished;
}

void Addresses::keep(queue::Recipient recipient)
{
    // Two requests for one mailbox are one delivery; with original recipients kept, also the origin must agree.
    std::string key = text::to_lower(recipient.address());
    if (settings_.enable_original_recipient)
        key += '\n' + text::to_lower(recipient.original()) + '\n' + std::to_string(recipient.dsn_notify()) +
               recipient.dsn_orcpt();
    if (settings_.duplicate_filter_limit > 0 && static_cast<long>(seen_.size()) >= settings_.duplicate_filter_limit) {
        if (seen_.contains(key))
            return;
    } else if (!seen_.insert(std::move(key)).second) {
        return;
    }
    result_.push_back(std::move(recipient));
}

std::expected<void, Refusal> Addresses::add_recipient(const queue::Recipient& given)
{
    const std::string& written = given.address().empty() ? settings_.empty_address_recipient : given.address();
    const std::string original = given.original().empty() ? written : given.original();
    std::string address = complete(written);
    std::vector<std::string> targets;
    if (mapping_ == Mapping::on) {
        auto mapped = canonical(std::move(address), mail::AddressRole::header_recipient, "envelope_recipient");
        if (!mapped)
            return std::unexpected(mapped.error());
        address = std::move(*mapped);
        if (!tables_.virtual_alias.empty()) {
            auto expanded = expand_virtual(address);
            if (!expanded)
                return std::unexpected(expanded.error());
            targets = std::move(*expanded);
        }
    }
    if (targets.empty())
        targets.push_back(std::move(address));
    for (auto& target : targets) {
        queue::Recipient recipient = given;
        if (settings_.enable_original_recipient && original != target)
            recipient.set_original(original);
        else
            recipient.clear_original();
        // What a notice calls the original recipient, when the client did not say (RFC 3461 s4.2).
        if (recipient.dsn_orcpt().empty() && text::all_ascii(original))
            recipient.set_dsn_orcpt("rfc822;" + original);
        recipient.set_address(std::move(target));
        keep(std::move(recipient));
    }
    return {};
}

std::expected<void, Refusal> Addresses::add_blind_copies(std::string_view sender)
{
    std::vector<std::string> copies;
    const auto local = [this](std::string_view domain) { return is_local(domain); };
    if (!settings_.always_bcc.empty())
        copies.push_back(settings_.always_bcc);
    if (!tables_.sender_bcc.empty()) {
        const auto found = tables_.sender_bcc.find_address(sender, settings_.recipient_delimiter, local);
        if (!found)
            return std::unexpected(table_failure(found.error()));
        if (*found)
            copies.push_back(apply_domain_result(sender, **found));
    }
    if (!tables_.recipient_bcc.empty()) {
        for (const auto& recipient : result_) {
            const auto found =
                tables_.recipient_bcc.find_address(recipient.address(), settings_.recipient_delimiter, local);
            if (!found)
                return std::unexpected(table_failure(found.error()));
            if (*found)
                copies.push_back(apply_domain_result(recipient.address(), **found));
        }
    }
    for (const auto& copy : copies) {
        queue::Recipient recipient;
        recipient.set_address(copy);
        recipient.set_dsn_notify(ipc::notify::never);
        if (auto added = add_recipient(recipient); !added)
            return added;
    }
    return {};
}

} // namespace facteur::cleanup
