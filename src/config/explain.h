// Where a parameter's value comes from: what sets it, what it refers to, which services see another value.
#pragma once

#include "config/config.h"
#include "config/master_cf.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::config {

enum class Origin {
    standard, // the default of the table
    computed, // the default that this machine decides: its name, its networks
    main_cf,
    fallback, // of a suffixed name: the default_* parameter
    unknown   // set nowhere, known nowhere
};
std::string_view to_string(Origin origin); // "default", "main.cf", ...

// One $name on the way to a value.
struct Reference {
    int depth = 1; // 1: in the parameter's own text
    std::string name;
    std::string text; // unexpanded
    std::string value;
    Origin origin = Origin::unknown;
    int line = 0; // of main.cf
};

// What a service's -o makes of the parameter, directly or through a name it refers to.
struct ServiceValue {
    std::string service; // "smtp/inet"
    int line = 0;        // of master.cf
    std::string override_name;
    std::string override_text;
    std::string value;
};

struct ParameterExplanation {
    std::string name;
    std::string value;
    std::string text; // unexpanded
    Origin origin = Origin::unknown;
    int line = 0;                         // of main.cf
    std::string fallback;                 // Origin::fallback: the parameter that counts
    bool depends_on_level = false;        // the default asks for compatibility_level
    const ParameterBase* known = nullptr; // the declaration, of the fallback for a suffixed name
    std::vector<Reference> references;    // depth first, each name once
    std::vector<ServiceValue> services;   // those whose value differs
    std::string nearest;                  // the known name next to an unknown one; empty: none
};

ParameterExplanation explain_parameter(const Config& config, std::span<const MasterEntry> services,
                                       std::string_view name);

// "time, unit s", "integer from 1 to 100", "integer, in bytes", "yes or no", "text".
std::string describe_type(const ParameterBase& parameter);

} // namespace facteur::config
