// The instances of a machine: the primary one, and those that its multi_instance_directories names, in this order.
#pragma once

#include "config/config.h"
#include "tools/postmulti/options.h"

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::postmulti {

struct Instance {
    std::string config_directory;
    std::string queue_directory;
    std::string data_directory;
    std::string name;  // empty: it has none
    std::string group; // empty: it is in none
    bool enabled = false;
    bool primary = false;
};

Instance instance_of(const config::Config& config);

// The primary instance first. Without secondary ones it is enabled whatever its main.cf says. Error: a line for a
// person.
std::expected<std::vector<Instance>, std::string> load_instances(const config::Config& primary);

// A name matches with or without its "postfix-"; a path matches the configuration directory; "-" is the primary.
bool matches(const Instance& instance, const Selection& selection);

// Whether two of the instances would share what must be their own: empty, or which of the directories or the name.
std::optional<std::string> conflict_with(const std::vector<Instance>& others, const Instance& candidate);

} // namespace facteur::postmulti
