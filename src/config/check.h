// What is wrong or dangerous in a configuration that loads: for `postfix check` and before a start.
#pragma once

#include "config/config.h"

#include <optional>
#include <vector>

namespace facteur::config {

// Unknown names (with the nearest known one), obsolete names, planned features, an open relay, services that transport
// parameters name and master.cf lacks, settings of services that do not parse, a bad host name. Each problem says its
// file and line where there is one. Problems are for a person: none of them alone keeps a system from starting.
std::vector<Problem> check(const Config& config);

// maillog_file must lie below one of maillog_file_prefixes: what runs as root does not write just anywhere. With
// another value no program starts, because none could say where its log is. Source: MAILLOG_README.
std::optional<Problem> check_log_file(const Config& config);

} // namespace facteur::config
