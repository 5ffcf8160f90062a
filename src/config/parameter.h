// One declaration a parameter: name, type, default, bounds, who reads it, what it does. From it come the typed reads,
// `postconf -d`, the bounds checks, the unknown-name warnings, the manual page and the HTML reference.
#pragma once

#include <chrono>
#include <limits>
#include <span>
#include <string_view>

namespace facteur::config {

enum class Type { string, integer, boolean, time, /* "raw": never expanded */ raw };

// Ours: present = the feature works; planned = the name is known, setting it warns that the feature is not there yet;
// unused = Postfix acts on it, but nothing here has use for it: setting it warns that it has no effect; obsolete = the
// feature was removed or renamed in Postfix. scripts/check-parameters compares the first with what the sources read.
enum class Status { present, planned, unused, obsolete };

// What every parameter has. Values of one parameter live in `params/*.def`, expanded into one object each.
struct ParameterBase {
    std::string_view name;
    std::string_view default_text; // as postconf -d prints it (may hold $name and ${...})
    Type type;
    std::string_view since;   // Postfix version that introduced it, or "" for before 2.0
    std::string_view read_by; // programs, separated by spaces: "smtpd cleanup"
    Status status;
    std::string_view doc; // our words
    long at_least = std::numeric_limits<long>::min();
    long at_most = std::numeric_limits<long>::max();
    char default_unit = 's'; // of a time without one: s m h d w
    std::string_view without =
        {}; // of a planned one: the value that asks for nothing, so that setting it needs no warning
};

struct StringParameter : ParameterBase {};
using RawParameter = StringParameter; // its text is for its reader to expand, if anyone
struct IntegerParameter : ParameterBase {};
struct BooleanParameter : ParameterBase {};
struct TimeParameter : ParameterBase {};

// All of them, sorted by name.
std::span<const ParameterBase* const> all_parameters();
const ParameterBase* find_parameter(std::string_view name);

} // namespace facteur::config
