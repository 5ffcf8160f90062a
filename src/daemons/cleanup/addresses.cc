#include "daemons/cleanup/addresses.h"

#include "base/log.h"
#include "base/text.h"
#include "ipc/flags.h"

namespace facteur::cleanup {

namespace {

Refusal refusal_of(const routing::MappingFailure& failure)
{
    if (failure.cause == routing::MappingFailure::Cause::expansion)
        return Refusal{"4.6.0", failure.text, true};
    log::warning("{}", failure.text);
    return Refusal{"4.3.0", "queue file write error", true};
}

} // namespace

std::expected<std::string, Refusal> Addresses::canonical(std::string address, mail::AddressRole role,
                                                         const std::string& address_class)
{
    auto mapped = mapping_tables_.canonical(std::move(address), role, address_class);
    if (!mapped)
        return std::unexpected(refusal_of(mapped.error()));
    return std::move(*mapped);
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
    std::string completed = mapping_tables_.complete(address);
    if (mapping_ == Mapping::off)
        return completed;
    return canonical(std::move(completed), mail::AddressRole::header_sender, "envelope_sender");
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
    std::string address = mapping_tables_.complete(written);
    std::vector<std::string> targets;
    if (mapping_ == Mapping::on) {
        auto mapped = canonical(std::move(address), mail::AddressRole::header_recipient, "envelope_recipient");
        if (!mapped)
            return std::unexpected(mapped.error());
        address = std::move(*mapped);
        auto expanded = mapping_tables_.expand(address);
        if (!expanded)
            return std::unexpected(refusal_of(expanded.error()));
        targets = std::move(*expanded);
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
    std::vector<std::string> recipients;
    for (const auto& recipient : result_)
        recipients.push_back(recipient.address());
    const auto copies = mapping_tables_.blind_copies(sender, recipients);
    if (!copies)
        return std::unexpected(refusal_of(copies.error()));
    for (const auto& copy : *copies) {
        queue::Recipient recipient;
        recipient.set_address(copy);
        recipient.set_dsn_notify(ipc::notify::never);
        if (auto added = add_recipient(recipient); !added)
            return added;
    }
    return {};
}

} // namespace facteur::cleanup
