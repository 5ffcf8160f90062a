// The parameters as objects: facteur::config::params::queue_directory, ...
#pragma once

#include "config/parameter.h"

namespace facteur::config::params {

// Each line of a .def file is FACTEUR_PARAMETER(Kind, name, default_text, .field = value, ...). The identifier is the
// parameter's name; one that starts with a digit has an 'n' before it (n2bounce_notice_recipient).
#define FACTEUR_PARAMETER(kind, name_, default_, ...) extern const kind##Parameter name_;
#include "config/params/all.def"
#undef FACTEUR_PARAMETER

} // namespace facteur::config::params
