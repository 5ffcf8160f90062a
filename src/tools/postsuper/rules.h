// postsuper --rule-add, --rule-list, --rule-remove: decisions about mail that is still to come.
#pragma once

#include "tools/postsuper/options.h"

#include <string>

namespace facteur::postsuper {

// Does what the options say and prints it. Nothing on success, else what to say before exiting; `details` is shown on
// standard error below it (a caret under the selection).
struct RuleFailure {
    std::string problem;
    std::string details;
};
std::optional<RuleFailure> manage_rules(const Options& options, const std::string& data_directory);

} // namespace facteur::postsuper
