#include "daemons/smtpd/restrictions/rule.h"

#include "base/log.h"
#include "base/text.h"
#include "daemons/smtpd/context.h"
#include "daemons/smtpd/restrictions/families.h"

#include <array>

namespace facteur::smtpd {

namespace {

constexpr Rule planned(std::string_view name, Argument argument = Argument::none)
{
    return {name, generic::dunno, argument, false, true};
}

constexpr auto kRules = std::to_array<Rule>({
    {"permit", generic::permit, Argument::none, true},
    {"reject", generic::reject, Argument::none, true},
    {"defer", generic::defer, Argument::none, true},
    {"warn_if_reject", generic::dunno}, // the engine looks for the name
    {"defer_if_permit", generic::defer_if_permit},
    {"defer_if_reject", generic::defer_if_reject},
    {"reject_unauth_pipelining", generic::reject_unauth_pipelining},
    {"reject_plaintext_session", generic::reject_plaintext_session},
    {"sleep", generic::sleep, Argument::word},

    {"permit_mynetworks", client_rules::permit_mynetworks},
    {"permit_inet_interfaces", client_rules::permit_inet_interfaces},
    {"permit_sasl_authenticated", client_rules::permit_sasl_authenticated},
    {"reject_unknown_client_hostname", client_rules::reject_unknown_client_hostname},
    {"reject_unknown_client", client_rules::reject_unknown_client_hostname},
    {"reject_unknown_reverse_client_hostname", client_rules::reject_unknown_reverse_client_hostname},

    {"reject_invalid_helo_hostname", helo_rules::reject_invalid_helo_hostname},
    {"reject_invalid_hostname", helo_rules::reject_invalid_helo_hostname},
    {"reject_non_fqdn_helo_hostname", helo_rules::reject_non_fqdn_helo_hostname},
    {"reject_non_fqdn_hostname", helo_rules::reject_non_fqdn_helo_hostname},

    {"reject_non_fqdn_sender", address_rules::reject_non_fqdn_sender},
    {"reject_non_fqdn_recipient", address_rules::reject_non_fqdn_recipient},
    {"reject_multi_recipient_bounce", address_rules::reject_multi_recipient_bounce},
    {"reject_unlisted_sender", listed::reject_unlisted_sender},
    {"reject_unlisted_recipient", listed::reject_unlisted_recipient},
    {"check_recipient_maps", listed::reject_unlisted_recipient},

    {"permit_auth_destination", relay::permit_auth_destination},
    {"reject_unauth_destination", relay::reject_unauth_destination},
    {"defer_unauth_destination", relay::defer_unauth_destination},

    {"check_client_access", access::check_client_access, Argument::table},
    {"check_reverse_client_hostname_access", access::check_reverse_client_hostname_access, Argument::table},
    {"check_helo_access", access::check_helo_access, Argument::table},
    {"check_sender_access", access::check_sender_access, Argument::table},
    {"check_recipient_access", access::check_recipient_access, Argument::table},
    {"check_etrn_access", access::check_etrn_access, Argument::table},

    planned("check_policy_service", Argument::word),
    planned("check_ccert_access", Argument::word),
    planned("check_sasl_access", Argument::word),
    planned("check_client_a_access", Argument::word),
    planned("check_client_mx_access", Argument::word),
    planned("check_client_ns_access", Argument::word),
    planned("check_reverse_client_hostname_a_access", Argument::word),
    planned("check_reverse_client_hostname_mx_access", Argument::word),
    planned("check_reverse_client_hostname_ns_access", Argument::word),
    planned("check_helo_a_access", Argument::word),
    planned("check_helo_mx_access", Argument::word),
    planned("check_helo_ns_access", Argument::word),
    planned("check_sender_a_access", Argument::word),
    planned("check_sender_mx_access", Argument::word),
    planned("check_sender_ns_access", Argument::word),
    planned("check_recipient_a_access", Argument::word),
    planned("check_recipient_mx_access", Argument::word),
    planned("check_recipient_ns_access", Argument::word),
    planned("permit_dnswl_client", Argument::word),
    planned("permit_rhswl_client", Argument::word),
    planned("reject_rbl_client", Argument::word),
    planned("reject_rhsbl_client", Argument::word),
    planned("reject_rhsbl_reverse_client", Argument::word),
    planned("reject_rhsbl_helo", Argument::word),
    planned("reject_rhsbl_sender", Argument::word),
    planned("reject_rhsbl_recipient", Argument::word),
    planned("permit_tls_clientcerts"),
    planned("permit_tls_all_clientcerts"),
    planned("permit_mx_backup"),
    planned("reject_unknown_helo_hostname"),
    planned("reject_unknown_hostname"),
    planned("reject_unknown_sender_domain"),
    planned("reject_unknown_recipient_domain"),
    planned("reject_unverified_sender"),
    planned("reject_unverified_recipient"),
    planned("reject_sender_login_mismatch"),
    planned("reject_known_sender_login_mismatch"),
    planned("reject_authenticated_sender_login_mismatch"),
    planned("reject_unauthenticated_sender_login_mismatch"),
});

void warn_of_leftovers(Context& context, const RuleList& rules)
{
    for (std::size_t i = 0; i + 1 < rules.size(); ++i)
        if (rules[i].rule && rules[i].rule->final && context.first_time(rules[i + 1].name + " after " + rules[i].name))
            log::warning("restriction `{}' after `{}' is ignored", rules[i + 1].name, rules[i].name);
}

} // namespace

const Rule* find_rule(std::string_view name)
{
    for (const Rule& rule : kRules)
        if (text::iequals(name, rule.name))
            return &rule;
    return nullptr;
}

RuleList parse_rules(Context& context, std::string_view text, std::string_view implied)
{
    RuleList rules;
    const auto words = text::split_list(text);
    for (std::size_t i = 0; i < words.size(); ++i) {
        Step step;
        step.name = words[i];
        const bool bare_table = words[i].find(':') != words[i].npos;
        if (bare_table) {
            step.name = implied;
            step.argument = words[i];
        }
        step.rule = find_rule(step.name);
        if (step.rule && step.rule->argument != Argument::none && !bare_table) {
            if (i + 1 == words.size()) {
                log::warning("restriction {} requires an argument", step.name);
                step.rule = nullptr;
            } else {
                step.argument = words[++i];
            }
        }
        if (step.rule && step.rule->argument == Argument::table)
            step.table = &context.table(step.argument);
        if (step.rule && step.rule->planned && context.first_time(step.name))
            log::warning("restriction {} is not supported yet and has no effect", step.name);
        rules.push_back(std::move(step));
    }
    warn_of_leftovers(context, rules);
    return rules;
}

} // namespace facteur::smtpd
