#include "daemons/smtp/settings.h"

#include "base/text.h"
#include "config/computed.h"
#include "config/params.h"
#include "daemons/smtp/destination.h"

#include <algorithm>

namespace facteur::smtp_client {

namespace params = config::params;

namespace {

// The parameter of the protocol at hand.
class Reader {
public:
    Reader(const config::Config& config, Protocol protocol) : config_(config), protocol_(protocol) {}

    template <typename Parameter>
    decltype(auto) operator()(const Parameter& smtp, const Parameter& lmtp) const
    {
        return config_.get(protocol_ == Protocol::smtp ? smtp : lmtp);
    }
    // A time of zero means: as long as the system waits.
    milliseconds wait(const config::TimeParameter& smtp, const config::TimeParameter& lmtp) const
    {
        const auto limit = (*this)(smtp, lmtp);
        return limit == milliseconds::zero() ? milliseconds::max() : limit;
    }

private:
    const config::Config& config_;
    Protocol protocol_;
};

void read_timeouts(const Reader& pick, Timeouts& into)
{
    into.connect = pick.wait(params::smtp_connect_timeout, params::lmtp_connect_timeout);
    into.helo = pick.wait(params::smtp_helo_timeout, params::lmtp_lhlo_timeout);
    into.xforward = pick.wait(params::smtp_xforward_timeout, params::lmtp_xforward_timeout);
    into.mail = pick.wait(params::smtp_mail_timeout, params::lmtp_mail_timeout);
    into.rcpt = pick.wait(params::smtp_rcpt_timeout, params::lmtp_rcpt_timeout);
    into.data_init = pick.wait(params::smtp_data_init_timeout, params::lmtp_data_init_timeout);
    into.data_xfer = pick.wait(params::smtp_data_xfer_timeout, params::lmtp_data_xfer_timeout);
    into.data_done = pick.wait(params::smtp_data_done_timeout, params::lmtp_data_done_timeout);
    into.rset = pick.wait(params::smtp_rset_timeout, params::lmtp_rset_timeout);
    into.quit = pick.wait(params::smtp_quit_timeout, params::lmtp_quit_timeout);
}

void read_conversation(const Reader& pick, Settings& into)
{
    into.helo_name = pick(params::smtp_helo_name, params::lmtp_lhlo_name);
    into.skip_5xx_greeting = pick(params::smtp_skip_5xx_greeting, params::lmtp_skip_5xx_greeting);
    into.skip_quit_response = pick(params::smtp_skip_quit_response, params::lmtp_skip_quit_response);
    into.discard_keywords =
        smtp::parse_ehlo_keywords(pick(params::smtp_discard_ehlo_keywords, params::lmtp_discard_lhlo_keywords));
    into.pix_delay = pick(params::smtp_pix_workaround_delay_time, params::lmtp_pix_workaround_delay_time);
    into.pix_threshold = pick(params::smtp_pix_workaround_threshold_time, params::lmtp_pix_workaround_threshold_time);
    into.send_xforward = pick(params::smtp_send_xforward_command, params::lmtp_send_xforward_command);
    into.quote_envelope = pick(params::smtp_quote_rfc821_envelope, params::lmtp_quote_rfc821_envelope);
    into.dummy_mail_auth = pick(params::smtp_send_dummy_mail_auth, params::lmtp_send_dummy_mail_auth);
    into.line_limit =
        static_cast<std::size_t>(std::max(0L, pick(params::smtp_line_length_limit, params::lmtp_line_length_limit)));
    into.per_request_deadline = pick(params::smtp_per_request_deadline, params::lmtp_per_request_deadline);
    into.min_data_rate = pick(params::smtp_min_data_rate, params::lmtp_min_data_rate);
    into.verify_target =
        text::iequals(pick(params::smtp_address_verify_target, params::lmtp_address_verify_target), "data")
            ? VerifyTarget::data
            : VerifyTarget::rcpt;
}

void read_destinations(const Reader& pick, Settings& into)
{
    into.fallback_relay = pick(params::smtp_fallback_relay, params::lmtp_fallback_relay);
    // The name is looked up once, before a chroot hides /etc/services.
    into.default_port = pick(params::smtp_tcp_port, params::lmtp_tcp_port);
    if (const auto port = service_port(into.default_port))
        into.default_port = fmt::format("{}", *port);
    into.balance_protocols = pick(params::smtp_balance_inet_protocols, params::lmtp_balance_inet_protocols);
    into.randomize = pick(params::smtp_randomize_addresses, params::lmtp_randomize_addresses);
    into.defer_if_no_mx_address =
        pick(params::smtp_defer_if_no_mx_address_found, params::lmtp_defer_if_no_mx_address_found);
    into.mx_address_limit =
        static_cast<std::size_t>(std::max(0L, pick(params::smtp_mx_address_limit, params::lmtp_mx_address_limit)));
    into.mx_session_limit =
        static_cast<std::size_t>(std::max(0L, pick(params::smtp_mx_session_limit, params::lmtp_mx_session_limit)));
    into.bind_address = pick(params::smtp_bind_address, params::lmtp_bind_address);
    into.bind_address6 = pick(params::smtp_bind_address6, params::lmtp_bind_address6);
    into.bind_enforce = pick(params::smtp_bind_address_enforce, params::lmtp_bind_address_enforce);
    into.cache_on_demand = pick(params::smtp_connection_cache_on_demand, params::lmtp_connection_cache_on_demand);
    into.cache_destinations =
        pick(params::smtp_connection_cache_destinations, params::lmtp_connection_cache_destinations);
    into.cache_time_limit = pick(params::smtp_connection_cache_time_limit, params::lmtp_connection_cache_time_limit);
    into.reuse_time_limit = pick(params::smtp_connection_reuse_time_limit, params::lmtp_connection_reuse_time_limit);
    into.reuse_count_limit = pick(params::smtp_connection_reuse_count_limit, params::lmtp_connection_reuse_count_limit);
}

std::string bad(std::string_view prefix, std::string_view name, std::string_view value)
{
    return fmt::format("bad {}_{} value: {}", prefix, name, value);
}

// The words that choose how names become addresses.
std::string read_lookup(const config::Config& config, const Reader& pick, std::string_view prefix, Settings& into)
{
    const std::string& level = pick(params::smtp_dns_support_level, params::lmtp_dns_support_level);
    if (level == "disabled" || (level.empty() && config.get(params::disable_dns_lookups)))
        into.dns = DnsSupport::disabled;
    else if (level == "dnssec")
        into.dns = DnsSupport::dnssec;
    else if (!level.empty() && level != "enabled")
        return bad(prefix, "dns_support_level", level);

    into.lookup_dns = into.lookup_native = false;
    const std::string& how = pick(params::smtp_host_lookup, params::lmtp_host_lookup);
    for (const auto word : text::split_list(how)) {
        if (text::iequals(word, "dns"))
            into.lookup_dns = true;
        else if (text::iequals(word, "native"))
            into.lookup_native = true;
        else
            return bad(prefix, "host_lookup", how);
    }
    if (into.dns == DnsSupport::disabled) {
        into.lookup_dns = false;
        into.lookup_native = true;
    }

    const std::string& first = pick(params::smtp_address_preference, params::lmtp_address_preference);
    if (text::iequals(first, "ipv4"))
        into.preference = AddressPreference::ipv4;
    else if (text::iequals(first, "ipv6"))
        into.preference = AddressPreference::ipv6;
    else if (!text::iequals(first, "any"))
        return bad(prefix, "address_preference", first);
    return {};
}

std::string read_interfaces(const config::Config& config, Settings& into)
{
    const std::string& protocols = config.get(params::inet_protocols);
    into.use_ipv4 = into.use_ipv6 = false;
    for (const auto word : text::split_list(protocols)) {
        into.use_ipv4 |= text::iequals(word, "all") || text::iequals(word, "ipv4");
        into.use_ipv6 |= text::iequals(word, "all") || text::iequals(word, "ipv6");
    }
    const std::string& interfaces = config.get(params::inet_interfaces);
    auto own = config::own_addresses(interfaces, protocols);
    if (!own)
        return own.error();
    into.own_addresses = std::move(*own);
    into.listens_everywhere = text::iequals(text::trim(interfaces), "all");
    for (const auto address : text::split_list(config.get(params::proxy_interfaces))) {
        const bool bracketed = address.starts_with('[') && address.ends_with(']');
        into.proxy_addresses.emplace_back(bracketed ? address.substr(1, address.size() - 2) : address);
    }
    return {};
}

} // namespace

std::expected<std::uint32_t, std::string> parse_pix_workarounds(std::string_view list)
{
    std::uint32_t bits = 0;
    for (const auto word : text::split_list(list)) {
        if (text::iequals(word, "disable_esmtp"))
            bits |= pix::disable_esmtp;
        else if (text::iequals(word, "delay_dotcrlf"))
            bits |= pix::delay_dotcrlf;
        else
            return std::unexpected(fmt::format("unknown pix workaround \"{}\"", word));
    }
    return bits;
}

std::expected<AddedHeaders, std::string> parse_flags(const std::vector<std::string>& arguments)
{
    AddedHeaders added;
    for (const std::string& argument : arguments) {
        if (!argument.starts_with("flags="))
            return std::unexpected(fmt::format("invalid attribute: \"{}\"", argument));
        for (const char flag : std::string_view(argument).substr(6)) {
            switch (flag) {
            case 'D':
                added.delivered_to = true;
                break;
            case 'O':
                added.original_to = true;
                break;
            case 'R':
                added.return_path = true;
                break;
            case 'X':
                added.final_delivery = true;
                break;
            default:
                return std::unexpected(fmt::format("invalid flags: \"{}\"", argument.substr(6)));
            }
        }
    }
    return added;
}

std::expected<Settings, std::string> read_settings(const config::Config& config, Protocol protocol)
{
    const Reader pick(config, protocol);
    const std::string_view prefix = protocol == Protocol::smtp ? "smtp" : "lmtp";
    Settings settings;
    settings.protocol = protocol;
    settings.myhostname = config.get(params::myhostname);
    settings.relayhost = config.get(params::relayhost);
    settings.best_mx_transport = config.get(params::best_mx_transport);
    settings.ignore_mx_lookup_error = config.get(params::ignore_mx_lookup_error);
    settings.mime_conversion = !config.get(params::disable_mime_output_conversion);
    settings.soft_bounce = config.get(params::soft_bounce);
    if (protocol == Protocol::smtp) {
        settings.always_ehlo = config.get(params::smtp_always_send_ehlo);
        settings.never_ehlo = config.get(params::smtp_never_send_ehlo);
    } else {
        settings.assume_final = config.get(params::lmtp_assume_final);
    }
    read_timeouts(pick, settings.timeouts);
    read_conversation(pick, settings);
    read_destinations(pick, settings);
    if (auto problem = read_lookup(config, pick, prefix, settings); !problem.empty())
        return std::unexpected(std::move(problem));
    if (auto problem = read_interfaces(config, settings); !problem.empty())
        return std::unexpected(std::move(problem));
    auto workarounds = parse_pix_workarounds(pick(params::smtp_pix_workarounds, params::lmtp_pix_workarounds));
    if (!workarounds)
        return std::unexpected(std::move(workarounds.error()));
    settings.pix_workarounds = *workarounds;
    return settings;
}

} // namespace facteur::smtp_client
