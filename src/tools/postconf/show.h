// What -d, -n and the rest of main.cf, -M, -F and -P print.
#pragma once

#include "tools/postconf/instance.h"
#include "tools/postconf/options.h"

namespace facteur::postconf {

Result show_main(const Instance& instance, const Options& options);
Result show_master(const Instance& instance, const Options& options);

} // namespace facteur::postconf
