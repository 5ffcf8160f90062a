// "5.7.1 go away" as status and text. Source: error(8), transport(5).
#pragma once

#include "ipc/messages.pb.h"

#include <string_view>

namespace facteur::error_agent {

// The text begins with an enhanced status of that class ('4' or '5'), else `otherwise` is used and the whole text kept.
ipc::Dsn split_status(std::string_view text, char status_class, std::string_view otherwise);

} // namespace facteur::error_agent
