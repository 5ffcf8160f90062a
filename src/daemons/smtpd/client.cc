#include "daemons/smtpd/client.h"

#include <fmt/format.h>

namespace facteur::smtpd {

void Client::update_shown(bool with_port)
{
    shown = with_port ? fmt::format("{}[{}]:{}", name, address, port) : fmt::format("{}[{}]", name, address);
}

std::string Client::rfc_address() const
{
    return address.find(':') == address.npos ? address : "IPv6:" + address;
}

} // namespace facteur::smtpd
