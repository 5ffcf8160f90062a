#include "daemons/cleanup/settings.h"

#include "base/text.h"

namespace facteur::cleanup {

namespace params = config::params;

namespace {

mail::ContentOptions content_options(const config::Config& config)
{
    mail::ContentOptions options;
    options.drop_headers.clear();
    for (const auto name : text::split_list(config.get(params::message_drop_headers)))
        options.drop_headers.push_back(text::to_lower(name));
    options.header_size_limit = static_cast<std::size_t>(config.get(params::header_size_limit));
    options.header_address_token_limit = static_cast<std::size_t>(config.get(params::header_address_token_limit));
    options.body_check_size = static_cast<std::size_t>(config.get(params::body_checks_size_limit));
    options.strip_characters = decode_c_escapes(config.get(params::message_strip_characters));
    options.reject_characters = decode_c_escapes(config.get(params::message_reject_characters));
    options.replace_stray_cr_lf = config.get(params::cleanup_replace_stray_cr_lf);
    options.undisclosed_recipients_header = config.get(params::undisclosed_recipients_header);
    options.parse_mime = !config.get(params::disable_mime_input_processing);
    options.strict_mime = config.get(params::strict_8bitmime) || config.get(params::strict_7bit_headers) ||
                          config.get(params::strict_8bitmime_body) || config.get(params::strict_mime_encoding_domain);
    options.mime_nesting_limit = static_cast<std::size_t>(config.get(params::mime_nesting_limit));
    options.mime_boundary_length_limit = static_cast<std::size_t>(config.get(params::mime_boundary_length_limit));
    options.from_format = config.get(params::header_from_format) == "obsolete" ? mail::HeaderFromFormat::obsolete
                                                                               : mail::HeaderFromFormat::standard;
    return options;
}

} // namespace

std::string decode_c_escapes(std::string_view text)
{
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\' || i + 1 == text.size()) {
            out.push_back(text[i]);
            continue;
        }
        const char next = text[++i];
        if (next >= '0' && next <= '7') {
            int value = 0;
            std::size_t digits = 0;
            for (; digits < 3 && i < text.size() && text[i] >= '0' && text[i] <= '7'; ++digits, ++i)
                value = value * 8 + (text[i] - '0');
            --i;
            out.push_back(static_cast<char>(value));
            continue;
        }
        constexpr std::string_view kNames = "abfnrtv";
        constexpr std::string_view kValues = "\a\b\f\n\r\t\v";
        const auto known = kNames.find(next);
        out.push_back(known == kNames.npos ? next : kValues[known]);
    }
    return out;
}

Tables open_tables(const config::Config& config)
{
    const auto& header = params::queue_priority_header_maps;
    return {routing::open_mapping_tables(config),
            table::Maps(std::string(header.name), config.get(header), {}, config)};
}

Settings read_settings(const config::Config& config)
{
    Settings settings{routing::read_mapping_settings(config)};
    settings.myhostname = config.get(params::myhostname);
    settings.empty_address_recipient = config.get(params::empty_address_recipient);
    settings.content = content_options(config);
    settings.always_add_missing_headers = config.get(params::always_add_missing_headers);
    settings.header_rewrite_remote = !settings.rewrite.remote_header_rewrite_domain.empty();
    settings.enable_original_recipient = config.get(params::enable_original_recipient);
    settings.hopcount_limit = config.get(params::hopcount_limit);
    settings.message_size_limit = config.get(params::message_size_limit);
    settings.duplicate_filter_limit = config.get(params::duplicate_filter_limit);
    settings.in_flow_delay = config.get(params::in_flow_delay);
    settings.delay_warning_time = config.get(params::delay_warning_time);
    settings.hash_queue_names = config.get(params::hash_queue_names);
    settings.hash_queue_depth = static_cast<int>(config.get(params::hash_queue_depth));
    settings.qmgr_socket = "public/" + config.get(params::queue_service_name);
    return settings;
}

} // namespace facteur::cleanup
