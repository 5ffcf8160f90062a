// The parts that check() is made of. Internal to this folder.
#pragma once

#include "config/config.h"
#include "config/master_cf.h"

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::config {

// What was found so far, each with the line to blame.
class Findings {
public:
    explicit Findings(const Config& config) : config_(config) {}

    // Blames the line of main.cf that sets the parameter, if one does.
    void blame(std::string_view parameter, std::string text);
    // Blames the service's line of master.cf.
    void blame(const MasterEntry& entry, std::string_view text);
    void add(Problem problem);

    [[nodiscard]] const Config& config() const { return config_; }
    [[nodiscard]] std::vector<Problem> take() { return std::move(problems_); }

private:
    const Config& config_;
    std::vector<Problem> problems_;
    std::set<std::string> said_; // services share what main.cf says: each thing is said once
};

using MasterEntries = std::vector<MasterEntry>;

// mynetworks: patterns that are none, files that cannot be read, hosts that nobody knows.
void check_networks(Findings& findings);
// smtpd_*_restrictions: unknown words, missing arguments, what can never be reached or never match.
void check_restrictions(Findings& findings, const MasterEntries& entries);
// *_transport, content_filter, relayhost: a service that master.cf lacks, a host where a transport stands.
void check_transports(Findings& findings, const MasterEntries& entries);
// Values that never expand, braces that are never closed.
void check_expansions(Findings& findings);

} // namespace facteur::config
