// Host and domain names as the DNS and SMTP allow them. Source: RFC 1035 s2.3.1, RFC 1123 s2.1, RFC 5321 s4.1.2.
#pragma once

#include <string_view>

namespace facteur::dns {

// Labels of letters, digits, '_' and inner '-', at most 63 bytes each and 255 together; no final dot; not all digits
// and dots, so that an IP address is never taken for a name.
bool valid_hostname(std::string_view name);

} // namespace facteur::dns
