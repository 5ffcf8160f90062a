#include "mail/verp.h"

#include "mail/address.h"

namespace facteur::mail {

std::string verp_address(std::string_view sender, std::string_view recipient, std::string_view delimiters)
{
    const mail::AddressParts from = mail::split_address(sender);
    const mail::AddressParts to = mail::split_address(recipient);
    std::string out(from.local);
    out += delimiters.size() > 0 ? delimiters[0] : '+';
    out += to.local;
    if (to.has_domain) {
        out += delimiters.size() > 1 ? delimiters[1] : '=';
        out += to.domain;
    }
    if (from.has_domain)
        out.append("@").append(from.domain);
    return out;
}

} // namespace facteur::mail
