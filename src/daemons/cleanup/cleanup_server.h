// The cleanup service: requests in, durable messages out, qmgr told.
#pragma once

#include "service/service.h"

#include <memory>

namespace facteur::cleanup {

std::unique_ptr<service::Server> make_server();

} // namespace facteur::cleanup
