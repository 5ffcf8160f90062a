#include "config/restriction_names.h"

#include "base/text.h"
#include "config/suffixes.h"

#include <array>

namespace facteur::config {

namespace {

constexpr RestrictionName with_argument(std::string_view name, bool needs_recipient = false)
{
    return {.name = name, .takes_argument = true, .needs_recipient = needs_recipient};
}
constexpr RestrictionName about_recipient(std::string_view name)
{
    return {.name = name, .needs_recipient = true};
}

constexpr auto kNames = std::to_array<RestrictionName>({
    {.name = "permit", .final = true},
    {.name = "reject", .final = true, .stops_strangers = true},
    {.name = "defer", .final = true, .stops_strangers = true},
    {.name = "defer_if_permit", .stops_strangers = true},
    {.name = "reject_unauth_destination", .stops_strangers = true, .needs_recipient = true},
    {.name = "defer_unauth_destination", .stops_strangers = true, .needs_recipient = true},
    {.name = "check_relay_domains", .stops_strangers = true, .needs_recipient = true},
    {"defer_if_reject"},
    {"warn_if_reject"},
    {"reject_unauth_pipelining"},
    {"reject_plaintext_session"},
    {"permit_mynetworks"},
    {"permit_inet_interfaces"},
    {"permit_sasl_authenticated"},
    {"permit_naked_ip_address"},
    {"permit_tls_clientcerts"},
    {"permit_tls_all_clientcerts"},
    {"reject_unknown_client_hostname"},
    {"reject_unknown_client"},
    {"reject_unknown_reverse_client_hostname"},
    {"reject_unknown_forward_client_hostname"},
    {"reject_invalid_helo_hostname"},
    {"reject_invalid_hostname"},
    {"reject_non_fqdn_helo_hostname"},
    {"reject_non_fqdn_hostname"},
    {"reject_unknown_helo_hostname"},
    {"reject_unknown_hostname"},
    {"reject_non_fqdn_sender"},
    {"reject_unknown_sender_domain"},
    {"reject_unknown_address"},
    {"reject_unlisted_sender"},
    {"reject_unverified_sender"},
    {"reject_sender_login_mismatch"},
    {"reject_known_sender_login_mismatch"},
    {"reject_authenticated_sender_login_mismatch"},
    {"reject_unauthenticated_sender_login_mismatch"},
    {"reject_multi_recipient_bounce"},
    about_recipient("permit_auth_destination"),
    about_recipient("permit_mx_backup"),
    about_recipient("reject_non_fqdn_recipient"),
    about_recipient("reject_unknown_recipient_domain"),
    about_recipient("reject_unlisted_recipient"),
    about_recipient("check_recipient_maps"),
    about_recipient("reject_unverified_recipient"),
    with_argument("sleep"),
    with_argument("check_policy_service"),
    with_argument("check_ccert_access"),
    with_argument("check_sasl_access"),
    with_argument("check_client_access"),
    with_argument("check_client_a_access"),
    with_argument("check_client_mx_access"),
    with_argument("check_client_ns_access"),
    with_argument("check_reverse_client_hostname_access"),
    with_argument("check_reverse_client_hostname_a_access"),
    with_argument("check_reverse_client_hostname_mx_access"),
    with_argument("check_reverse_client_hostname_ns_access"),
    with_argument("check_helo_access"),
    with_argument("check_helo_a_access"),
    with_argument("check_helo_mx_access"),
    with_argument("check_helo_ns_access"),
    with_argument("check_sender_access"),
    with_argument("check_sender_a_access"),
    with_argument("check_sender_mx_access"),
    with_argument("check_sender_ns_access"),
    with_argument("check_recipient_access", true),
    with_argument("check_recipient_a_access", true),
    with_argument("check_recipient_mx_access", true),
    with_argument("check_recipient_ns_access", true),
    with_argument("check_etrn_access"),
    with_argument("permit_dnswl_client"),
    with_argument("permit_rhswl_client"),
    with_argument("reject_rbl_client"),
    with_argument("reject_rbl"),
    with_argument("reject_rhsbl_client"),
    with_argument("reject_rhsbl_reverse_client"),
    with_argument("reject_rhsbl_helo"),
    with_argument("reject_rhsbl_sender"),
    with_argument("reject_rhsbl_recipient", true),
});

} // namespace

const RestrictionName* find_restriction(std::string_view name)
{
    for (const auto& each : kNames)
        if (text::iequals(each.name, name))
            return &each;
    return nullptr;
}

std::string_view nearest_restriction(std::string_view name)
{
    static const auto names = [] {
        std::vector<std::string_view> out;
        for (const auto& each : kNames)
            out.push_back(each.name);
        return out;
    }();
    return nearest_of(text::to_lower(name), names);
}

std::vector<RestrictionStep> restriction_steps(std::string_view list)
{
    std::vector<RestrictionStep> steps;
    const auto words = text::split_list(list);
    for (std::size_t i = 0; i < words.size(); ++i) {
        RestrictionStep step{.name = words[i], .known = find_restriction(words[i])};
        if (step.known == nullptr && words[i].find(':') != words[i].npos)
            step = {.argument = words[i]};
        else if (step.known != nullptr && step.known->takes_argument && i + 1 < words.size())
            step.argument = words[++i];
        steps.push_back(step);
    }
    return steps;
}

} // namespace facteur::config
