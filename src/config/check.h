// What is wrong or dangerous in a configuration that loads: for `postfix check` and before a start.
#pragma once

#include "config/config.h"

#include <optional>
#include <vector>

namespace facteur::config {

// Unknown names (with the nearest known one), obsolete names, planned features, services that transport parameters name
// and master.cf lacks, restrictions that can never match, networks that are none, settings of services that do not
// parse, a bad host name, an open relay. Each problem says its file and line where there is one, and what would be
// right. Those of Gravity::refused must keep a system from starting; the others are for a person.
//
// Host names in mynetworks are looked up, which may take as long as the resolver takes.
std::vector<Problem> check(const Config& config);

// A service that any client on the network can reach and that lets strangers send mail to everywhere; nothing when
// allow_open_relay says that it is wanted. Looks at main.cf and master.cf alone.
std::optional<Problem> find_open_relay(const Config& config);

// maillog_file must lie below one of maillog_file_prefixes: what runs as root does not write just anywhere. With
// another value no program starts, because none could say where its log is. Source: MAILLOG_README.
std::optional<Problem> check_log_file(const Config& config);

} // namespace facteur::config
