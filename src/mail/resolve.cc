// Where an address goes. Source: trivial-rewrite(8), ADDRESS_CLASS_README.
#include "base/text.h"
#include "mail/address.h"
#include "mail/marked_text.h"
#include "mail/rewrite.h"

#include <arpa/inet.h>

namespace facteur::mail {
namespace {

constexpr int kMaxLocalDomains = 100; // stripped one after another: a@here%here%here...

bool is_ip_address(const std::string& text, int family)
{
    unsigned char out[16];
    return inet_pton(family, text.c_str(), out) == 1;
}

// The address inside a domain literal; empty when there is none.
std::string literal_address(std::string_view domain)
{
    if (domain.size() < 2 || domain.front() != '[' || domain.back() != ']')
        return {};
    domain = domain.substr(1, domain.size() - 2);
    constexpr std::string_view kTag = "IPv6:";
    if (text::istarts_with(domain, kTag)) {
        std::string address{domain.substr(kTag.size())};
        return is_ip_address(address, AF_INET6) ? address : std::string{};
    }
    std::string address{domain};
    return is_ip_address(address, AF_INET) ? address : std::string{};
}

bool is_hostname(std::string_view name)
{
    if (name.empty() || name.size() > 255)
        return false;
    bool non_numeric = false;
    std::size_t label = 0;
    for (std::size_t i = 0; i < name.size(); ++i) {
        const char c = name[i];
        if (c == '.') {
            if (label == 0 || i + 1 == name.size() || name[i - 1] == '-')
                return false;
            label = 0;
            continue;
        }
        if (!text::is_alnum(c) && c != '_' && c != '-' && text::is_ascii(c))
            return false;
        if ((c == '-' && label == 0) || ++label > 63)
            return false;
        non_numeric |= !text::is_digit(c);
    }
    return non_numeric && name.back() != '-' && text::valid_utf8(name);
}

using Verdict = std::expected<bool, LookupFailure>;

Verdict ask(const DomainProbe& probe, std::string_view domain)
{
    if (!probe)
        return false;
    return probe(text::to_lower(domain));
}

// One resolution. Steps return the failure of a table, if any.
class Resolver {
public:
    Resolver(std::string_view sender, std::string_view address, const ResolverSettings& settings)
        : sender_(sender), settings_(settings),
          address_(settings.resolve_dequoted_address ? MarkedText::from_internal(address)
                                                     : MarkedText::from_external(to_external(address)))
    {
    }

    std::expected<Resolution, LookupFailure> run()
    {
        if (address_.empty())
            address_.append(settings_.empty_address_recipient);
        if (auto stripped = strip_local_domains(); !stripped)
            return std::unexpected(stripped.error());
        finish_recipient();
        if (out_.error) {
            out_.transport.clear();
            out_.nexthop.clear();
            return out_;
        }
        if (auto classified = classify(); !classified)
            return std::unexpected(classified.error());
        if (out_.address_class != AddressClass::virtual_alias)
            if (auto looked_up = apply_transport_maps(); !looked_up)
                return std::unexpected(looked_up.error());
        if (!settings_.allow_min_user && out_.recipient.starts_with('-'))
            out_.error = true;
        return out_;
    }

private:
    using Step = std::expected<void, LookupFailure>;

    [[nodiscard]] std::string_view domain() const
    {
        const auto at = address_.rfind('@');
        return at == MarkedText::npos ? std::string_view{} : std::string_view{address_.text()}.substr(at + 1);
    }

    // While the domain is ours, what stands before it may hold another: user%site@here, site!user@here.
    Step strip_local_domains()
    {
        for (int i = 0; i < kMaxLocalDomains; ++i) {
            if (address_.rfind('@') == MarkedText::npos || !last_domain_.empty())
                rewrite_marked(address_, RewriteContext::local, settings_.rewrite, Complete::domain_only);
            if (address_.rfind('@') == MarkedText::npos) {
                local_ = true;
                return {};
            }
            strip_final_dot(address_);
            bracket_numeric_domain();
            const Verdict ours = domain_is_ours();
            if (!ours)
                return std::unexpected(ours.error());
            if (!*ours)
                return {};
            const auto at = address_.rfind('@');
            last_domain_ = domain();
            address_.erase(at);
            if (address_.empty())
                address_.append(settings_.empty_address_recipient);
        }
        out_.error = true;
        return {};
    }

    void bracket_numeric_domain()
    {
        const std::string name{domain()};
        if (!settings_.resolve_numeric_domain || !is_ip_address(name, AF_INET))
            return;
        address_.erase(address_.rfind('@') + 1);
        address_.append("[" + name + "]");
    }

    Verdict domain_is_ours()
    {
        const std::string_view name = domain();
        if (name.empty()) {
            out_.error = !settings_.resolve_null_domain;
            return settings_.resolve_null_domain;
        }
        if (name.front() == '[')
            return ask(settings_.is_local_address, literal_address(name));
        return ask(settings_.is_local_domain, name);
    }

    void finish_recipient()
    {
        const auto at = address_.rfind('@');
        const std::string_view user = std::string_view{address_.text()}.substr(0, at);
        out_.routed = user.find_first_of("@!%") != user.npos;
        domain_ = at != MarkedText::npos  ? std::string{domain()}
                  : !last_domain_.empty() ? last_domain_
                                          : settings_.myhostname;
        if (at != MarkedText::npos && user.empty() && domain_.empty())
            out_.recipient = settings_.empty_address_recipient + "@";
        else
            out_.recipient = std::string{user} + "@" + domain_;
        if (!local_)
            out_.error |= domain_.starts_with('[') ? literal_address(domain_).empty() : !is_hostname(domain_);
    }

    Step classify()
    {
        struct Class {
            const DomainProbe& member;
            const char* parameter;
            AddressClass name;
        };
        const Class classes[] = {
            {settings_.is_virtual_alias_domain, "virtual_alias_domains", AddressClass::virtual_alias},
            {settings_.is_virtual_mailbox_domain, "virtual_mailbox_domains", AddressClass::virtual_mailbox},
            {settings_.is_relay_domain, "relay_domains", AddressClass::relay},
        };
        const char* found = local_ ? "mydestination" : nullptr;
        if (local_)
            out_.address_class = AddressClass::local;
        for (const Class& candidate : classes) {
            // Once the class is known, the others matter only for the warning; local is never compared with relay.
            if (found != nullptr && (!settings_.warn || (local_ && candidate.name == AddressClass::relay)))
                break;
            const Verdict member = ask(candidate.member, domain_);
            if (!member)
                return std::unexpected(member.error());
            if (!*member)
                continue;
            if (found != nullptr) {
                settings_.warn("do not list domain " + domain_ + " in BOTH " + found + " and " + candidate.parameter);
                break;
            }
            out_.address_class = candidate.name;
            found = candidate.parameter;
        }
        return choose_transport();
    }

    Step choose_transport()
    {
        switch (out_.address_class) {
        case AddressClass::local:
            set_route(settings_.local_transport, domain_);
            return {};
        case AddressClass::virtual_mailbox:
            set_route(settings_.virtual_transport, domain_);
            return {};
        case AddressClass::virtual_alias:
            out_.transport = "error";
            out_.nexthop = settings_.show_user_unknown_table_name ? "5.1.1 User unknown in virtual alias table"
                                                                  : "5.1.1 User unknown";
            return {};
        case AddressClass::relay:
            return route_off_host(settings_.relay_transport);
        case AddressClass::other:
            break;
        }
        const LookupAnswer chosen = find_sender(settings_.sender_dependent_default_transport_maps,
                                                settings_.empty_address_default_transport_maps_lookup_key);
        if (!chosen)
            return std::unexpected(chosen.error());
        return route_off_host(*chosen && !text::iequals(**chosen, "DUNNO") ? **chosen : settings_.default_transport);
    }

    Step route_off_host(const std::string& rule)
    {
        if (!split_transport(rule).nexthop.empty()) {
            set_route(rule, {});
            return {};
        }
        const LookupAnswer host =
            find_sender(settings_.sender_dependent_relayhost_maps, settings_.empty_address_relayhost_maps_lookup_key);
        if (!host)
            return std::unexpected(host.error());
        if (*host && !text::iequals(**host, "DUNNO"))
            set_route(rule, **host);
        else
            set_route(rule, settings_.relayhost.empty() ? domain_ : settings_.relayhost);
        return {};
    }

    void set_route(std::string_view rule, std::string_view default_nexthop)
    {
        const TransportRule parts = split_transport(rule);
        out_.transport = parts.transport;
        out_.nexthop = parts.nexthop.empty() ? default_nexthop : parts.nexthop;
    }

    // user+ext@domain, user@domain, @domain.
    LookupAnswer find_sender(const KeyLookup& table, const std::string& null_key)
    {
        if (!table)
            return std::nullopt;
        if (sender_.empty())
            return table(text::to_lower(null_key), KeyPart::whole);
        const std::string key = text::to_lower(sender_);
        LookupAnswer found = find_with_extension(table, key);
        if (!found || *found)
            return found;
        const AddressParts parts = split_address(key);
        return parts.has_domain ? table("@" + std::string{parts.domain}, KeyPart::partial) : found;
    }

    LookupAnswer find_with_extension(const KeyLookup& table, const std::string& key)
    {
        LookupAnswer found = table(key, KeyPart::whole);
        if (!found || *found || settings_.recipient_delimiter.empty())
            return found;
        const AddressParts parts = split_address(key);
        const Extension user =
            split_extension(parts.local, settings_.recipient_delimiter, settings_.owner_request_special);
        if (user.extension.empty())
            return found;
        return table(std::string{user.user} + "@" + std::string{parts.domain}, KeyPart::partial);
    }

    Step apply_transport_maps()
    {
        if (!settings_.transport_maps)
            return {};
        const LookupAnswer found = find_transport(text::to_lower(out_.recipient));
        if (!found)
            return std::unexpected(found.error());
        if (!*found)
            return {};
        const TransportRule rule = split_transport(**found);
        if (!rule.transport.empty()) {
            out_.transport = rule.transport;
            out_.nexthop = rule.nexthop.empty() ? std::string_view{domain_} : rule.nexthop;
        } else if (!rule.nexthop.empty()) {
            out_.nexthop = rule.nexthop;
        }
        return {};
    }

    LookupAnswer find_transport(const std::string& recipient)
    {
        LookupAnswer found = find_with_extension(settings_.transport_maps, recipient);
        if (!found || *found)
            return found;
        std::string_view name = split_address(recipient).domain;
        while (!name.empty()) {
            found = settings_.transport_maps(name, KeyPart::partial);
            if (!found || *found)
                return found;
            const auto dot = name.find('.', 1);
            if (dot == name.npos || name.front() == '[')
                break;
            name.remove_prefix(settings_.transport_maps_parent_plain ? dot + 1 : dot);
        }
        return settings_.transport_maps("*", KeyPart::partial);
    }

    std::string_view sender_;
    const ResolverSettings& settings_;
    MarkedText address_;
    std::string last_domain_; // of ours, taken off last
    std::string domain_;      // of the recipient
    bool local_ = false;
    Resolution out_;
};

} // namespace

TransportRule split_transport(std::string_view text)
{
    const auto colon = text.find(':');
    if (colon == text.npos)
        return {.transport = text, .nexthop = {}};
    return {.transport = text.substr(0, colon), .nexthop = text.substr(colon + 1)};
}

std::expected<Resolution, LookupFailure> resolve(std::string_view sender, std::string_view address,
                                                 const ResolverSettings& settings)
{
    return Resolver{sender, address, settings}.run();
}

} // namespace facteur::mail
