#include "daemons/smtpd/settings.h"

#include "base/text.h"
#include "ipc/flags.h"
#include "smtp/ehlo.h"

#include <algorithm>

namespace facteur::smtpd {

namespace {

namespace params = config::params;

bool lists(std::string_view list, std::string_view word)
{
    const auto words = text::split_list(list);
    return std::any_of(words.begin(), words.end(), [&](std::string_view each) { return text::iequals(each, word); });
}

// "yes" means normalize (3.9). Other words are a reject: the careful side.
BareNewline parse_bare_newline(std::string_view word)
{
    if (text::iequals(word, "no"))
        return BareNewline::accept;
    if (text::iequals(word, "note"))
        return BareNewline::note;
    if (text::iequals(word, "normalize") || text::iequals(word, "yes"))
        return BareNewline::normalize;
    return BareNewline::reject;
}

std::uint32_t external_mail_flags(const config::Config& config)
{
    namespace flag = ipc::submit_flag;
    const std::string& overrides = config.get(params::receive_override_options);
    std::uint32_t flags = flag::filter | flag::map | flag::bcc | flag::milter;
    if (lists(overrides, "no_address_mappings"))
        flags &= ~(flag::map | flag::bcc);
    if (lists(overrides, "no_header_body_checks"))
        flags &= ~flag::filter;
    if (lists(overrides, "no_milters"))
        flags &= ~flag::milter;
    const std::string& autodetect = config.get(params::smtputf8_autodetect_classes);
    if (config.get(params::smtputf8_enable) && (lists(autodetect, "smtpd") || lists(autodetect, "all")))
        flags |= flag::autodetect_utf8;
    return flags;
}

} // namespace

Settings::Settings(const config::Config& config)
    : myhostname(config.get(params::myhostname)), mail_name(config.get(params::mail_name)),
      mail_version(config.get(params::mail_version)), banner(config.get(params::smtpd_banner)),
      recipient_delimiter(config.get(params::recipient_delimiter)),
      double_bounce_sender(config.get(params::double_bounce_sender)),
      null_access_key(config.get(params::smtpd_null_access_lookup_key)),
      reject_footer(config.get(params::smtpd_reject_footer)),
      expansion_filter(config.get(params::smtpd_expansion_filter)), timeout(config.get(params::smtpd_timeout)),
      error_sleep_time(config.get(params::smtpd_error_sleep_time))
{
    per_request_deadline = config.get(params::smtpd_per_request_deadline);
    min_data_rate = config.get(params::smtpd_min_data_rate);
    soft_error_limit = config.get(params::smtpd_soft_error_limit);
    hard_error_limit = config.get(params::smtpd_hard_error_limit);
    junk_command_limit = config.get(params::smtpd_junk_command_limit);
    recipient_limit = config.get(params::smtpd_recipient_limit);
    recipient_overshoot_limit = config.get(params::smtpd_recipient_overshoot_limit);
    message_size_limit = static_cast<std::uint64_t>(config.get(params::message_size_limit));
    line_length_limit = static_cast<std::size_t>(config.get(params::line_length_limit));
    queue_minfree = static_cast<std::uint64_t>(config.get(params::queue_minfree));
    helo_required = config.get(params::smtpd_helo_required);
    delay_reject = config.get(params::smtpd_delay_reject);
    disable_vrfy = config.get(params::disable_vrfy_command);
    allow_untrusted_routing = config.get(params::allow_untrusted_routing);
    peername_lookup = config.get(params::smtpd_peername_lookup);
    port_logging = config.get(params::smtpd_client_port_logging);
    soft_bounce = config.get(params::soft_bounce);
    hide_client_session = config.get(params::smtpd_hide_client_session);
    smtputf8_enable = config.get(params::smtputf8_enable);
    strict_smtputf8 = config.get(params::strict_smtputf8);
    relay_before_recipient = config.get(params::smtpd_relay_before_recipient_restrictions);
    reject_unlisted_recipient = config.get(params::smtpd_reject_unlisted_recipient);
    reject_unlisted_sender = config.get(params::smtpd_reject_unlisted_sender);
    show_table_name = config.get(params::show_user_unknown_table_name);
    forbid_unauth_pipelining = config.get(params::smtpd_forbid_unauth_pipelining);
    sasl_authenticated_header = config.get(params::smtpd_sasl_authenticated_header);
    const std::string& protocols = config.get(params::inet_protocols);
    const bool all_protocols = lists(protocols, "all");
    ipv4 = all_protocols || lists(protocols, "ipv4");
    ipv6 = all_protocols || lists(protocols, "ipv6");
    path_syntax = config.get(params::strict_rfc821_envelopes) ? smtp::PathSyntax::strict : smtp::PathSyntax::lenient;
    discard_ehlo_keywords = smtp::parse_ehlo_keywords(config.get(params::smtpd_discard_ehlo_keywords));
    bare_newline = parse_bare_newline(config.get(params::smtpd_forbid_bare_newline));
    bare_newline_reject_code = config.get(params::smtpd_forbid_bare_newline_reject_code);
    count_limit = config.get(params::smtpd_client_connection_count_limit);
    rate_limit = config.get(params::smtpd_client_connection_rate_limit);
    message_rate_limit = config.get(params::smtpd_client_message_rate_limit);
    recipient_rate_limit = config.get(params::smtpd_client_recipient_rate_limit);
    submit_flags = external_mail_flags(config);
    check_recipients = !lists(config.get(params::receive_override_options), "no_unknown_recipient_checks");

    access_reject_code = config.get(params::access_map_reject_code);
    access_defer_code = config.get(params::access_map_defer_code);
    reject_code = config.get(params::reject_code);
    defer_code = config.get(params::defer_code);
    relay_code = config.get(params::relay_domains_reject_code);
    invalid_hostname_code = config.get(params::invalid_hostname_reject_code);
    non_fqdn_code = config.get(params::non_fqdn_reject_code);
    unknown_client_code = config.get(params::unknown_client_reject_code);
    multi_recipient_bounce_code = config.get(params::multi_recipient_bounce_reject_code);
    plaintext_code = config.get(params::plaintext_reject_code);
    unknown_local_code = config.get(params::unknown_local_recipient_reject_code);
    unknown_alias_code = config.get(params::unknown_virtual_alias_reject_code);
    unknown_mailbox_code = config.get(params::unknown_virtual_mailbox_reject_code);
    unknown_relay_code = config.get(params::unknown_relay_recipient_reject_code);
}

} // namespace facteur::smtpd
