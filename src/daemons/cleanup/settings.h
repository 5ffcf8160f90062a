// What cleanup does, from main.cf: read once at start.
#pragma once

#include "config/config.h"
#include "mail/content_pass.h"
#include "routing/address_mapping.h"

#include <string>

namespace facteur::cleanup {

struct Tables : routing::MappingTables {
    table::Maps header_priority; // queue_priority_header_maps
};
Tables open_tables(const config::Config& config);

struct Settings : routing::MappingSettings {
    std::string myhostname;
    std::string empty_address_recipient;
    mail::ContentOptions content; // what does not depend on the message
    bool always_add_missing_headers = false;
    bool header_rewrite_remote = false;
    bool enable_original_recipient = true;
    long hopcount_limit = 50;
    long message_size_limit = 0;
    long duplicate_filter_limit = 1000;
    std::chrono::milliseconds delay_warning_time{0};
    std::chrono::milliseconds in_flow_delay{0};
    std::string hash_queue_names;
    int hash_queue_depth = 1;
    std::string qmgr_socket; // "public/qmgr"
};

Settings read_settings(const config::Config& config);

// "\\t\40" and the like, as message_strip_characters writes characters.
std::string decode_c_escapes(std::string_view text);

} // namespace facteur::cleanup
