// Values that loading does not need, and so does not refuse: names of the user's own, lists with an open brace.
#include "base/text.h"
#include "config/check_parts.h"
#include "config/suffixes.h"

#include <fmt/format.h>

#include <algorithm>

namespace facteur::config {

namespace {

// Parameters whose braces group; in others a brace may be text.
bool holds_a_list(std::string_view name)
{
    for (const std::string_view ending : {"_restrictions", "_maps", "_checks", "_classes", "mynetworks"})
        if (name.ends_with(ending))
            return true;
    return false;
}

} // namespace

void check_expansions(Findings& findings)
{
    const Config& config = findings.config();
    for (const auto& name : config.explicit_names()) {
        const auto* parameter = find_parameter(name);
        if (parameter == nullptr && find_suffix(name) == nullptr) {
            if (const auto value = config.expand(fmt::format("${{{}}}", name)); !value)
                findings.blame(name, fmt::format("parameter {}: {}", name, value.error().text));
        } else if (holds_a_list(name)) {
            const auto value = config.value(name).value_or("");
            if (std::ranges::count(value, '{') != std::ranges::count(value, '}'))
                findings.blame(name, fmt::format("{} = {}: unbalanced {{}}", name, value));
        }
    }
}

} // namespace facteur::config
