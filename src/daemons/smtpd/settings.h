// smtpd's parameters, read once at start. Under stress master starts processes with "-o stress=yes", so the values that
// depend on it are right from the beginning.
#pragma once

#include "config/config.h"
#include "smtp/path.h"

#include <chrono>
#include <cstdint>
#include <string>

namespace facteur::smtpd {

enum class BareNewline { accept /* no */, note, normalize, reject };

struct Settings {
    explicit Settings(const config::Config& config);

    std::string myhostname, mail_name, mail_version, banner, recipient_delimiter, double_bounce_sender, null_access_key;
    std::string reject_footer, expansion_filter;
    std::chrono::milliseconds timeout, error_sleep_time;
    bool per_request_deadline = false;
    long min_data_rate = 1;
    long soft_error_limit = 0, hard_error_limit = 0, junk_command_limit = 0;
    long recipient_limit = 0, recipient_overshoot_limit = 0;
    std::uint64_t message_size_limit = 0; // 0: none
    std::size_t line_length_limit = 0;
    std::uint64_t queue_minfree = 0;
    bool helo_required = false, delay_reject = true, disable_vrfy = false, allow_untrusted_routing = false;
    bool peername_lookup = true, port_logging = false, soft_bounce = false, hide_client_session = false;
    bool smtputf8_enable = true, strict_smtputf8 = false, relay_before_recipient = true;
    bool reject_unlisted_recipient = true, reject_unlisted_sender = false, show_table_name = true;
    bool forbid_unauth_pipelining = true, sasl_authenticated_header = false, ipv4 = true, ipv6 = true;
    smtp::PathSyntax path_syntax = smtp::PathSyntax::lenient;
    std::uint32_t discard_ehlo_keywords = 0;
    BareNewline bare_newline = BareNewline::normalize;
    long bare_newline_reject_code = 550;
    long count_limit = 0, rate_limit = 0, message_rate_limit = 0, recipient_rate_limit = 0;
    std::uint32_t submit_flags = 0;
    bool check_recipients = true; // off with receive_override_options = no_unknown_recipient_checks

    // Reply codes of restrictions.
    long access_reject_code = 554, access_defer_code = 450, reject_code = 554, defer_code = 450, relay_code = 554;
    long invalid_hostname_code = 501, non_fqdn_code = 504, unknown_client_code = 450, multi_recipient_bounce_code = 550;
    long plaintext_code = 450;
    long unknown_local_code = 550, unknown_alias_code = 550, unknown_mailbox_code = 550, unknown_relay_code = 550;
};

} // namespace facteur::smtpd
