// The machine at the other end: what it is called and where it is, as log lines, restrictions and Received: tell it.
#pragma once

#include <string>
#include <string_view>

namespace facteur::smtpd {

enum class NameStatus {
    ok,
    temporary /* ask again later */,
    permanent /* there is none */,
    forged /* does not lead back */
};

struct Client {
    std::string name = "unknown";
    std::string reverse_name = "unknown"; // by address alone, not verified
    std::string address = "unknown";
    std::string port = "unknown";
    std::string server_address; // our end of the connection
    std::string server_port;
    NameStatus name_status = NameStatus::permanent;
    NameStatus reverse_name_status = NameStatus::permanent;
    std::string shown; // "name[address]", what log lines call it

    void update_shown(bool with_port);
    [[nodiscard]] bool known_address() const { return address != "unknown"; }
    // "IPv6:2001:db8::1": the address as RFC 5321 s4.1.3 writes it in brackets.
    [[nodiscard]] std::string rfc_address() const;
};

} // namespace facteur::smtpd
