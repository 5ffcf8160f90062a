#include "base/log.h"
#include "config/params.h"
#include "tools/postconf/print.h"
#include "tools/postconf/show.h"

#include <fmt/format.h>

namespace facteur::postconf {

namespace {

Result show_one(const Instance& instance, const Options& options, const std::string& name)
{
    const bool only_defaults = options.has(defaults);
    std::string text;
    if (!options.has(hide_values)) {
        text = instance.text_of(name, only_defaults);
        const auto* parameter = config::find_parameter(name);
        const bool raw = parameter != nullptr && parameter->type == config::Type::raw;
        if (options.has(evaluate) && !raw) {
            auto value = instance.evaluate(text, only_defaults);
            if (!value)
                return std::unexpected(value.error());
            text = std::move(*value);
        }
    }
    if (options.has(json)) {
        std::string fields;
        if (!options.has(hide_names))
            fields = fmt::format("\"name\": {}", json_string(name));
        if (!options.has(hide_values))
            fields += fmt::format("{}\"value\": {}", fields.empty() ? "" : ", ", json_string(text));
        write_out(fmt::format("{{{}}}\n", fields));
        return {};
    }
    const auto line = options.has(hide_values)  ? name
                      : options.has(hide_names) ? text
                                                : fmt::format("{} = {}", name, text);
    write_out(normalized_line(line, options.has(fold) ? Folding::yes : Folding::no));
    return {};
}

// Every name of the chosen classes, sorted.
std::set<std::string> all_names(const Instance& instance, const Options& options)
{
    std::set<std::string> names;
    if ((options.classes & kClassBuiltin) != 0)
        for (const auto* parameter : config::all_parameters())
            if (is_builtin(parameter->name))
                names.emplace(parameter->name);
    if ((options.classes & kClassService) != 0)
        for (const auto& [name, text] : instance.service_names())
            names.insert(name);
    if ((options.classes & kClassUser) != 0)
        names.insert(instance.user_names().begin(), instance.user_names().end());
    return names;
}

} // namespace

Result show_main(const Instance& instance, const Options& options)
{
    if (options.arguments.empty()) {
        for (const auto& name : all_names(instance, options))
            if (!options.has(explicit_only) || instance.is_set(name))
                if (auto good = show_one(instance, options, name); !good)
                    return good;
        return {};
    }
    for (const auto& name : options.arguments) {
        if ((instance.class_of(name) & options.classes) == 0)
            log::warning("{}: unknown parameter", name);
        else if (!options.has(explicit_only) || instance.is_set(name))
            if (auto good = show_one(instance, options, name); !good)
                return good;
    }
    return {};
}

} // namespace facteur::postconf
