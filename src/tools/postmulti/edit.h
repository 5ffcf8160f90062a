// The life of secondary instances: how they come to be, change their names, and go. Source: postmulti(1), "life-cycle
// management mode"; MULTI_INSTANCE_README.
#pragma once

#include "tools/postmulti/instances.h"

#include <expected>
#include <string>
#include <vector>

namespace facteur::postmulti {

using Done = std::expected<void, std::string>; // error: one line for a person

Done edit(const config::Config& primary, const std::vector<Instance>& instances, const Options& options);

// create and import: makes the instance where it does not exist yet (create alone), names it, and puts it into the
// primary instance's list.
Done add_instance(const config::Config& primary, const std::vector<Instance>& instances, const Options& options);

// Files of an instance that has none: main.cf and master.cf from the prototypes in meta_directory, else our own.
Done make_files(const config::Config& primary, const Instance& instance);

// What the system made for the instance, removed; a warning names what is left for a person to look at.
void remove_files(const Instance& instance);

// multi_instance_name and multi_instance_group as -I and -G say.
Done assign_names(const config::Config& primary, const Instance& instance, const Options& options);

// The new list of secondary instances, and whether `directory` stays one that set-gid commands may be told of.
enum class Alternate { add, remove };
Done write_directories(const config::Config& primary, const std::vector<std::string>& secondary,
                       const std::string& directory, Alternate alternate);

} // namespace facteur::postmulti
