// The rules, one namespace a family. Each is named after the restriction it is; rule.cc holds the table of names.
#pragma once

#include "daemons/smtpd/restrictions/rule.h"

#include <string>
#include <string_view>

namespace facteur::smtpd {

namespace generic {
event::Task<Verdict> permit(Judge&, const Step&, const Subject&);
event::Task<Verdict> reject(Judge&, const Step&, const Subject&);
event::Task<Verdict> defer(Judge&, const Step&, const Subject&);
event::Task<Verdict> defer_if_permit(Judge&, const Step&, const Subject&);
event::Task<Verdict> defer_if_reject(Judge&, const Step&, const Subject&);
event::Task<Verdict> reject_unauth_pipelining(Judge&, const Step&, const Subject&);
event::Task<Verdict> reject_plaintext_session(Judge&, const Step&, const Subject&);
event::Task<Verdict> sleep(Judge&, const Step&, const Subject&);
event::Task<Verdict> dunno(Judge&, const Step&, const Subject&); // for what has no effect
} // namespace generic

namespace client_rules {
event::Task<Verdict> permit_mynetworks(Judge&, const Step&, const Subject&);
event::Task<Verdict> permit_inet_interfaces(Judge&, const Step&, const Subject&);
event::Task<Verdict> permit_sasl_authenticated(Judge&, const Step&, const Subject&);
event::Task<Verdict> reject_unknown_client_hostname(Judge&, const Step&, const Subject&);
event::Task<Verdict> reject_unknown_reverse_client_hostname(Judge&, const Step&, const Subject&);
} // namespace client_rules

namespace helo_rules {
event::Task<Verdict> reject_invalid_helo_hostname(Judge&, const Step&, const Subject&);
event::Task<Verdict> reject_non_fqdn_helo_hostname(Judge&, const Step&, const Subject&);
} // namespace helo_rules

namespace address_rules {
event::Task<Verdict> reject_non_fqdn_sender(Judge&, const Step&, const Subject&);
event::Task<Verdict> reject_non_fqdn_recipient(Judge&, const Step&, const Subject&);
event::Task<Verdict> reject_multi_recipient_bounce(Judge&, const Step&, const Subject&);
} // namespace address_rules

namespace listed {
event::Task<Verdict> reject_unlisted_sender(Judge&, const Step&, const Subject&);
event::Task<Verdict> reject_unlisted_recipient(Judge&, const Step&, const Subject&);
// Is the address known in its class (local, virtual alias, virtual mailbox, relay)?
event::Task<Verdict> check(Judge& judge, std::string address, std::string_view class_name);
} // namespace listed

namespace relay {
event::Task<Verdict> permit_auth_destination(Judge&, const Step&, const Subject&);
event::Task<Verdict> reject_unauth_destination(Judge&, const Step&, const Subject&);
event::Task<Verdict> defer_unauth_destination(Judge&, const Step&, const Subject&);
} // namespace relay

namespace access {
event::Task<Verdict> check_client_access(Judge&, const Step&, const Subject&);
event::Task<Verdict> check_reverse_client_hostname_access(Judge&, const Step&, const Subject&);
event::Task<Verdict> check_helo_access(Judge&, const Step&, const Subject&);
event::Task<Verdict> check_sender_access(Judge&, const Step&, const Subject&);
event::Task<Verdict> check_recipient_access(Judge&, const Step&, const Subject&);
event::Task<Verdict> check_etrn_access(Judge&, const Step&, const Subject&);
} // namespace access

// The statuses of RFC 3463 that name the wrong party are mapped to the right one: "5.1.8" is about senders.
std::string fit_status(std::string_view status, std::string_view class_name);

} // namespace facteur::smtpd
