// What the program was told: the smtp_* parameters, or the lmtp_* ones when it is called lmtp. Source: postconf(5).
#pragma once

#include "config/config.h"
#include "smtp/ehlo.h"

#include <chrono>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::smtp_client {

using std::chrono::milliseconds;

enum class Protocol { smtp, lmtp };
enum class DnsSupport { disabled, enabled, dnssec };
enum class AddressPreference { any, ipv4, ipv6 };
enum class VerifyTarget { rcpt, data };

struct Timeouts {
    milliseconds connect, helo, xforward, mail, rcpt, data_init, data_xfer, data_done, rset, quit;
};

// EHLO keywords: what servers offer and what smtp_discard_ehlo_keywords takes away.
namespace feature = smtp::ehlo;

// Workarounds for firewalls that hide the greeting behind asterisks.
namespace pix {
inline constexpr std::uint32_t disable_esmtp = 1;
inline constexpr std::uint32_t delay_dotcrlf = 2;
} // namespace pix
std::expected<std::uint32_t, std::string> parse_pix_workarounds(std::string_view list);

// Headers that "flags=DORX" in master.cf asks for.
struct AddedHeaders {
    bool delivered_to = false;
    bool original_to = false;
    bool return_path = false;
    bool final_delivery = false; // LMTP: this delivery is final
};

struct Settings {
    Protocol protocol = Protocol::smtp;
    std::string myhostname;
    std::string helo_name;
    std::string relayhost;
    std::string fallback_relay;
    std::string default_port;
    std::string best_mx_transport;

    DnsSupport dns = DnsSupport::enabled;
    bool lookup_dns = true; // smtp_host_lookup has "dns"
    bool lookup_native = false;
    bool use_ipv4 = true;
    bool use_ipv6 = true;
    AddressPreference preference = AddressPreference::any;
    bool balance_protocols = true;
    bool randomize = true;
    bool ignore_mx_lookup_error = false;
    bool defer_if_no_mx_address = false;
    std::size_t mx_address_limit = 5; // 0: none
    std::size_t mx_session_limit = 2; // 0: none
    std::string bind_address;
    std::string bind_address6;
    bool bind_enforce = false;
    std::vector<std::string> own_addresses;   // inet_interfaces
    std::vector<std::string> proxy_addresses; // proxy_interfaces
    bool listens_everywhere = true;           // inet_interfaces is "all"

    bool always_ehlo = true;
    bool never_ehlo = false;
    bool skip_5xx_greeting = true;
    bool skip_quit_response = true;
    std::uint32_t discard_keywords = 0;
    std::uint32_t pix_workarounds = 0;
    milliseconds pix_delay{10'000};
    milliseconds pix_threshold{500'000}; // younger mail does not pay for delay_dotcrlf
    bool send_xforward = false;
    bool quote_envelope = true;
    bool mime_conversion = true; // disable_mime_output_conversion is off
    bool dummy_mail_auth = false;
    bool assume_final = false; // lmtp_assume_final
    bool soft_bounce = false;
    VerifyTarget verify_target = VerifyTarget::rcpt;
    std::size_t line_limit = 998; // 0: none
    Timeouts timeouts{};
    bool per_request_deadline = false;
    long min_data_rate = 500;

    bool cache_on_demand = true;
    std::string cache_destinations;
    milliseconds cache_time_limit{2000};
    milliseconds reuse_time_limit{300'000};
    long reuse_count_limit = 0; // 0: none
    AddedHeaders added;
};

// An error text for a value that makes no sense ("bad smtp_dns_support_level value: x").
std::expected<Settings, std::string> read_settings(const config::Config& config, Protocol protocol);
// "flags=DORX" among master.cf's arguments.
std::expected<AddedHeaders, std::string> parse_flags(const std::vector<std::string>& arguments);

} // namespace facteur::smtp_client
