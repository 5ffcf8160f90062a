// What a reload changes: two configurations compared.
#pragma once

#include "config/config.h"
#include "config/master_cf.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::config {

struct ParameterChange {
    std::string name;
    std::string before; // expanded; empty when it did not exist
    std::string after;
    bool indirect = false; // its own text is as it was, but something it refers to changed
};
// Parameters whose value differs, sorted by name.
std::vector<ParameterChange> parameter_changes(const Config& before, const Config& after);

struct ServiceChange {
    enum class Kind { added, removed, changed } kind;
    std::string service; // "smtp/inet"
    std::string what;    // of a changed one: "maxproc: 1 -> 2, command: ..."
};
// In the order of the later master.cf; removed services last.
std::vector<ServiceChange> service_changes(std::span<const MasterEntry> before, std::span<const MasterEntry> after);

// The services whose programs read a parameter, "all" when all do; empty when none does.
std::vector<std::string> readers_of(std::string_view parameter, std::span<const MasterEntry> services);

// All of this as lines for a person, at most `limit` of each kind.
std::vector<std::string> describe_changes(const Config& before, std::span<const MasterEntry> services_before,
                                          const Config& after, std::span<const MasterEntry> services_after,
                                          std::size_t limit = 100);

} // namespace facteur::config
