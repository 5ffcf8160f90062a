// The queue manager's service: arrivals, changes and listings in; everything else follows.
#pragma once

#include "service/service.h"

#include <memory>

namespace facteur::qmgr {

std::unique_ptr<service::Server> make_server();

} // namespace facteur::qmgr
