// What cleanup does, from main.cf: read once at start.
#pragma once

#include "config/config.h"
#include "mail/content_pass.h"
#include "mail/rewrite.h"
#include "table/maps.h"

#include <set>
#include <string>

namespace facteur::cleanup {

// The address tables, asked on behalf of one message at a time.
struct Tables {
    table::Maps canonical;
    table::Maps sender_canonical;
    table::Maps recipient_canonical;
    table::Maps virtual_alias;
    table::Maps sender_bcc;
    table::Maps recipient_bcc;

    [[nodiscard]] bool changed() const;
};

struct Settings {
    std::string myhostname;
    std::string always_bcc;
    std::string recipient_delimiter;
    std::string empty_address_recipient;
    mail::RewriteSettings rewrite;
    mail::ContentOptions content;        // what does not depend on the message
    std::set<std::string> local_domains; // plain names of mydestination and myorigin, for bare-user table keys
    bool always_add_missing_headers = false;
    bool header_rewrite_remote = false;
    bool enable_original_recipient = true;
    long hopcount_limit = 50;
    long message_size_limit = 0;
    long duplicate_filter_limit = 1000;
    long virtual_expansion_limit = 1000;
    long virtual_recursion_limit = 1000;
    std::chrono::milliseconds delay_warning_time{0};
    std::chrono::milliseconds in_flow_delay{0};
    std::set<std::string> canonical_classes;
    std::set<std::string> sender_canonical_classes;
    std::set<std::string> recipient_canonical_classes;
    std::string hash_queue_names;
    int hash_queue_depth = 1;
    std::string qmgr_socket; // "public/qmgr"
};

Settings read_settings(const config::Config& config);
Tables open_tables(const config::Config& config);

// "\\t\40" and the like, as message_strip_characters writes characters.
std::string decode_c_escapes(std::string_view text);

} // namespace facteur::cleanup
