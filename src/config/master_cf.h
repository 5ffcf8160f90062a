// master.cf: one service a logical line, eight columns. Source: master(5).
#pragma once

#include "config/config.h"

#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::config {

enum class SocketType { inet, unix_stream, unix_dgram, fifo, pass };

struct MasterEntry {
    std::string name; // first column as written: "smtp", "127.0.0.1:25", "[::1]:submission", "cleanup"
    SocketType type = SocketType::unix_stream;
    bool is_private = true;
    bool unprivileged = true;
    bool chroot = false;
    int wakeup_seconds = 0;        // 0: never
    bool wakeup_if_used = false;   // a trailing '?'
    int process_limit = -1;        // -1: default_process_limit; 0: no limit
    std::string program;           // "smtpd"
    std::vector<std::string> args; // as the program gets them; "-o", "name=value" pairs kept in place
    int line = 0;

    // "smtp/inet", as postconf -M and messages name a service.
    [[nodiscard]] std::string service_key() const;
    // The -o settings among args.
    [[nodiscard]] Overrides overrides() const;
};

std::string_view to_string(SocketType type);

// Comments, continuation lines, "{ ... }" arguments, "-" defaults (private y, unprivileged y, chroot by
// compatibility_level, wakeup 0, maxproc default_process_limit).
[[nodiscard]] std::expected<std::vector<MasterEntry>, Problem>
parse_master_cf(std::string_view text, const Config& config, std::string_view file = "master.cf");
[[nodiscard]] std::expected<std::vector<MasterEntry>, Problem> load_master_cf(const Config& config);

// The service that answers as this transport: one of that name that is no inet service; nothing when there is none.
[[nodiscard]] const MasterEntry* find_transport(const std::vector<MasterEntry>& entries, std::string_view name);

} // namespace facteur::config
