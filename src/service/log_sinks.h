// Where log lines go: maillog_file through postlogd, or syslog. Source: MAILLOG_README.
//
// Lines gather during a turn of the loop and leave together; a logger that cannot keep up is waited for in memory, up
// to a bound, after which lines are dropped and the number of lost lines is logged.
#pragma once

#include "base/log.h"
#include "event/loop.h"

#include <memory>
#include <string>

namespace facteur::service {

// "Nov 22 05:31:00 host postfix/smtpd[123]: text" without a newline. The host is myhostname's first label... as
// Postfix writes it: the full myhostname is shortened at the first dot.
std::string format_line(std::string_view hostname, std::string_view tag, std::string_view text);

// Datagrams to postlogd's socket ("public/postlog", relative to the queue directory). `loop` may be null (tools): then
// each line is sent at once and briefly waited for.
std::unique_ptr<log::Sink> make_postlog_sink(event::Loop* loop, std::string socket_path, std::string hostname);

// Datagrams to /dev/log, connected now so that it works in a chroot jail. facility: LOG_MAIL etc.
std::unique_ptr<log::Sink> make_syslog_sink(event::Loop* loop, int facility);

// Appends to a file (or /dev/stdout): master and the postfix command, which run before and beside postlogd.
std::unique_ptr<log::Sink> make_file_sink(std::string path, std::string hostname);

// "mail", "local0", ...: syslog_facility's words. LOG_MAIL when unknown.
int facility_code(std::string_view name);

} // namespace facteur::service
