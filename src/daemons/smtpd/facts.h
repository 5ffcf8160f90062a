// What is known of a session at one moment: what restrictions judge and log lines tell. The session owns it.
#pragma once

#include "daemons/smtpd/client.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::smtpd {

// Where a session is, in the words of its log lines.
namespace stage {
inline constexpr std::string_view connect = "CONNECT";
inline constexpr std::string_view after_data = "DATA content";
inline constexpr std::string_view after_bdat = "BDAT content";
inline constexpr std::string_view end_of_message = "END-OF-MESSAGE";
inline constexpr std::string_view unknown = "UNKNOWN";
} // namespace stage

// What access tables asked for beside yes and no. Lasts until the mail transaction ends.
struct Actions {
    std::uint32_t submit_flags = 0; // ipc::submit_flag: hold, discard
    bool discard = false;           // DISCARD ends all checking
    std::string filter;
    std::string redirect;
    std::vector<std::string> bcc;
    std::vector<std::string> prepend; // header lines, without line end
};

// What XFORWARD told of the client that a proxy in front of us saw.
struct Forwarded {
    bool given = false;
    std::string name, address, port, protocol, helo, ident, domain;
};

struct Facts {
    Client client;
    std::optional<std::string> helo_name;
    std::string protocol = "SMTP";
    std::string_view where = stage::connect;
    std::optional<std::string> sender;    // internal form
    std::optional<std::string> recipient; // the one being judged, else the first accepted one
    std::optional<std::string> etrn_name;
    std::string sasl_method;
    std::string sasl_username;
    std::optional<std::string> sasl_sender; // MAIL FROM ... AUTH=
    std::string queue_id;                   // empty until a recipient was accepted
    std::size_t recipient_count = 0;
    bool pipelined_too_early = false;
    bool trusted_context = false; // local_header_rewrite_clients: headers are completed as our own
    Forwarded forwarded;
    Actions actions;
};

} // namespace facteur::smtpd
