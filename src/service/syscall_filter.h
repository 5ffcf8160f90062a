// Daemons that read what strangers send give up, once they are set up, the system calls that they never need and that a
// hijacked process would want: running programs, changing identity or file systems, reading other processes, loading
// code into the kernel. A refused call fails with EPERM. Why not a list of what is allowed: docs/adr.
#pragma once

#include "base/error.h"

#include <expected>

namespace facteur::service {

// For every thread of the process, and for good. Needs no privilege. An error's code is errno's.
std::expected<void, SystemError> give_up_dangerous_calls();

} // namespace facteur::service
