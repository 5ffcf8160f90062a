// -t and -b: the texts of notices to senders, as templates and with their parameters expanded.
#pragma once

#include "tools/postconf/options.h"

#include <string>

namespace facteur::postconf {

Result show_templates(const std::string& directory, const Options& options);

} // namespace facteur::postconf
