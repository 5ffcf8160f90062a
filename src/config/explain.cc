#include "config/explain.h"

#include "config/expand.h"
#include "config/suffixes.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace facteur::config {

namespace {

constexpr int kReferenceDepth = 20;

bool is_computed(std::string_view name)
{
    for (const ParameterBase* each : std::initializer_list<const ParameterBase*>{
             &params::myhostname, &params::mydomain, &params::mynetworks, &params::process_id, &params::process_name,
             &params::config_directory})
        if (each->name == name)
            return true;
    return false;
}

Origin origin_of(const Config& config, std::string_view name)
{
    if (config.explicit_text(name))
        return Origin::main_cf;
    if (find_parameter(name) != nullptr)
        return is_computed(name) ? Origin::computed : Origin::standard;
    return find_suffix(name) != nullptr ? Origin::fallback : Origin::unknown;
}

// The names that a text refers to and that its value needs, in order.
std::vector<std::string> direct_references(const Config& config, std::string_view text)
{
    std::vector<std::string> names;
    std::set<std::string, std::less<>> values; // what the expansion looks at must stay where it is
    const auto look_up = [&](std::string_view name) -> std::optional<ParameterText> {
        if (std::ranges::find(names, name) == names.end())
            names.emplace_back(name);
        auto value = config.value(name);
        if (!value)
            return std::nullopt;
        // Already expanded: a dollar sign in it is one.
        for (auto at = value->find('$'); at != value->npos; at = value->find('$', at + 2))
            value->insert(at, 1, '$');
        return ParameterText{*values.insert(std::move(*value)).first};
    };
    (void)expand_text(text, look_up);
    return names;
}

void follow(const Config& config, std::string_view text, int depth, std::vector<Reference>& out)
{
    if (depth > kReferenceDepth)
        return;
    for (auto& name : direct_references(config, text)) {
        if (std::ranges::find(out, name, &Reference::name) != out.end())
            continue;
        const std::string below = config.text_of(name).value_or("");
        const auto origin = origin_of(config, name);
        const int line = config.line_of(name);
        const bool raw = find_parameter(name) != nullptr && find_parameter(name)->type == Type::raw;
        out.push_back({depth, name, below, config.value(name).value_or(""), origin, line});
        if (!raw)
            follow(config, below, depth + 1, out);
    }
}

// The override that gives a service a value of its own: of the parameter, or of a name it needs.
void compare_services(const Config& config, std::span<const MasterEntry> services, ParameterExplanation& out)
{
    for (const auto& entry : services) {
        const auto overrides = entry.overrides();
        if (overrides.empty())
            continue;
        const auto with = config.with(overrides);
        const auto value = with ? with->value(out.name) : std::nullopt;
        if (!value)
            continue;
        auto set = overrides.find(out.name);
        for (const auto& reference : out.references)
            if (set == overrides.end())
                set = overrides.find(reference.name);
        if (set == overrides.end() || (set->first != out.name && *value == out.value))
            continue;
        out.services.push_back({entry.service_key(), entry.line, set->first, set->second, *value});
    }
}

} // namespace

std::string_view to_string(Origin origin)
{
    switch (origin) {
    case Origin::standard:
        return "default";
    case Origin::computed:
        return "computed";
    case Origin::main_cf:
        return "main.cf";
    case Origin::fallback:
        return "fallback";
    case Origin::unknown:
        break;
    }
    return "unknown";
}

ParameterExplanation explain_parameter(const Config& config, std::span<const MasterEntry> services,
                                       std::string_view name)
{
    ParameterExplanation out;
    out.name = name;
    out.origin = origin_of(config, name);
    out.line = config.line_of(name);
    out.known = find_parameter(name);
    if (const auto* suffix = find_suffix(name)) {
        out.known = suffix->fallback;
        if (out.origin == Origin::fallback)
            out.fallback = suffix->fallback->name;
    }
    if (out.origin == Origin::unknown)
        out.nearest = nearest_name(name);
    out.text = config.text_of(name).value_or("");
    out.value = config.value(name).value_or("");
    out.depends_on_level = out.origin == Origin::standard && out.text.find("compatibility_level") != std::string::npos;
    if (out.known == nullptr || out.known->type != Type::raw)
        follow(config, out.text, 1, out.references);
    compare_services(config, services, out);
    return out;
}

std::string describe_type(const ParameterBase& parameter)
{
    const bool from = parameter.at_least != std::numeric_limits<long>::min();
    const bool to = parameter.at_most != std::numeric_limits<long>::max();
    std::string bounds;
    if (from && to)
        bounds = fmt::format(", from {} to {}", parameter.at_least, parameter.at_most);
    else if (from)
        bounds = fmt::format(", at least {}", parameter.at_least);
    else if (to)
        bounds = fmt::format(", at most {}", parameter.at_most);
    switch (parameter.type) {
    case Type::boolean:
        return "yes or no";
    case Type::time:
        return fmt::format("time, in {} when no unit is given (s m h d w){}{}", parameter.default_unit, bounds,
                           bounds.empty() ? "" : " seconds");
    case Type::integer:
        return fmt::format("integer{}{}", parameter.name.ends_with("_size_limit") ? " (bytes)" : "", bounds);
    case Type::raw:
        return "text that its reader expands";
    case Type::string:
        break;
    }
    return bounds.empty() ? "text" : fmt::format("text of a length{}", bounds.substr(1));
}

} // namespace facteur::config
