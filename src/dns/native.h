// Host names to addresses as the system's own lookup finds them (nsswitch.conf, /etc/hosts): getaddrinfo(3) on a
// thread.
#pragma once

#include "event/pool.h"

#include <expected>
#include <string>
#include <vector>

namespace facteur::dns {

// Numeric addresses in the order the system gives. Error: an EAI_* code for gai_strerror(3).
// family: AF_INET, AF_INET6 or AF_UNSPEC.
event::Task<std::expected<std::vector<std::string>, int>> native_addresses(event::WorkerPool& pool, std::string host,
                                                                           int family);

} // namespace facteur::dns
