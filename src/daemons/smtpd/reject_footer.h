// smtpd_reject_footer: what an administrator adds to every refusal. Source: postconf(5).
#pragma once

#include "daemons/smtpd/facts.h"
#include "daemons/smtpd/settings.h"

#include <string>
#include <string_view>

namespace facteur::smtpd {

struct FooterValues {
    const Facts& facts;
    const Settings& settings;
};

// The reply with the footer: lines of its own (split at "\n"), or after "\c" continuing the last line. Lines come
// joined by '\n'.
std::string add_reject_footer(std::string_view reply, std::string_view footer, const FooterValues& values);

} // namespace facteur::smtpd
