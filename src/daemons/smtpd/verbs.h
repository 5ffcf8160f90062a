// The commands. Each is one function: it replies and says whether the client erred.
#pragma once

#include "daemons/smtpd/session.h"

namespace facteur::smtpd::verb {

event::Task<Outcome> helo(Session& session, const Words& words);
event::Task<Outcome> ehlo(Session& session, const Words& words);
event::Task<Outcome> xclient(Session& session, const Words& words);
event::Task<Outcome> xforward(Session& session, const Words& words);
event::Task<Outcome> starttls(Session& session, const Words& words);
event::Task<Outcome> auth(Session& session, const Words& words);
event::Task<Outcome> mail(Session& session, const Words& words);
event::Task<Outcome> rcpt(Session& session, const Words& words);
event::Task<Outcome> data(Session& session, const Words& words);
event::Task<Outcome> bdat(Session& session, const Words& words);
event::Task<Outcome> rset(Session& session, const Words& words);
event::Task<Outcome> noop(Session& session, const Words& words);
event::Task<Outcome> vrfy(Session& session, const Words& words);
event::Task<Outcome> etrn(Session& session, const Words& words);
event::Task<Outcome> quit(Session& session, const Words& words);

} // namespace facteur::smtpd::verb

namespace facteur::smtpd {

// The address of a path as the client wrote it, checked in form and with trivial-rewrite; a warning is logged and
// nothing given when it is none.
event::Task<std::optional<std::string>> read_address(Session& session, const smtp::Word& word, smtp::PathSyntax syntax);

} // namespace facteur::smtpd
