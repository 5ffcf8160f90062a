#include "base/log.h"
#include "tools/postconf/pattern.h"
#include "tools/postconf/show.h"

#include <fmt/format.h>

#include <algorithm>

namespace facteur::postconf {

namespace {

struct Shower {
    const Instance& instance;
    const Options& options;
    std::string failure; // of an evaluation

    [[nodiscard]] Folding folding() const { return options.has(fold) ? Folding::yes : Folding::no; }

    ShowValue value_shower(const RawEntry& entry)
    {
        if (!options.has(evaluate))
            return {};
        return [this, &entry](std::string_view, std::string_view text) { return evaluated(entry, text); };
    }

    std::string evaluated(const RawEntry& entry, std::string_view text)
    {
        const auto parameters = entry.parameters();
        Settings local(parameters.begin(), parameters.end());
        local.try_emplace("service_name", entry.fields[0]);
        local.try_emplace("process_name", entry.fields[kCommandField]);
        auto value = instance.evaluate(text, false, &local);
        if (!value)
            failure = value.error();
        return value.value_or("");
    }

    void labelled(const RawEntry& entry, std::string_view name, std::string_view text) const
    {
        const auto label = fmt::format("{}/{}", entry.key(), name);
        if (options.has(json)) {
            write_out(fmt::format("{{\"name\": {}, \"value\": {}}}\n", json_string(label), json_string(text)));
            return;
        }
        const auto line = options.has(hide_values)  ? label
                          : options.has(hide_names) ? std::string(text)
                                                    : fmt::format("{} = {}", label, text);
        write_out(normalized_line(line, folding()));
    }

    void show_entry(const RawEntry& entry)
    {
        const auto line = format_entry(entry, folding(), value_shower(entry));
        if (!options.has(json)) {
            write_out(line);
            return;
        }
        const auto flat = format_command("", entry, Folding::no, value_shower(entry));
        std::string fields;
        for (std::size_t i = 0; i < kCommandField; ++i)
            fields += fmt::format("\"{}\": {}, ", kFieldNames[i], json_string(entry.fields[i]));
        write_out(fmt::format("{{{}\"command\": {}}}\n", fields,
                              json_string(std::string_view(flat).substr(0, flat.size() - 1))));
    }

    void show_fields(const RawEntry& entry, const Pattern& pattern)
    {
        for (std::size_t i = 0; i < kFieldNames.size(); ++i) {
            if (!pattern.matches_third(kFieldNames[i]))
                continue;
            if (i < kCommandField || options.has(hide_values)) {
                labelled(entry, kFieldNames[i], entry.fields[i]);
                continue;
            }
            if (options.has(json)) {
                const auto flat = format_command("", entry, Folding::no, value_shower(entry));
                labelled(entry, kFieldNames[i], std::string_view(flat).substr(0, flat.size() - 1));
                continue;
            }
            const auto label = options.has(hide_names) ? std::string() : fmt::format("{}/command = ", entry.key());
            write_out(format_command(label, entry, folding(), value_shower(entry)));
        }
    }

    bool show_parameters(const RawEntry& entry, const Pattern& pattern)
    {
        bool any = false;
        for (const auto& [name, text] : entry.parameters()) {
            if (!pattern.matches_third(name))
                continue;
            any = true;
            labelled(entry, name, options.has(evaluate) ? evaluated(entry, text) : text);
        }
        return any;
    }

    bool show(const RawEntry& entry, const Pattern& pattern)
    {
        if (options.has(master_entries))
            show_entry(entry);
        else if (options.has(master_fields))
            show_fields(entry, pattern);
        else
            return show_parameters(entry, pattern);
        return true;
    }
};

std::expected<std::vector<Pattern>, std::string> patterns_of(const Options& options)
{
    const std::string_view error = options.has(master_entries)  ? "-M option requires service_name[/type]"
                                   : options.has(master_fields) ? "-F option requires service_name[/type[/field]]"
                                                                : "-P option requires service_name[/type[/parameter]]";
    std::vector<Pattern> out;
    for (const auto& text : options.arguments) {
        auto pattern = Pattern::parse(text, 1, options.has(master_entries) ? 2 : 3, error);
        if (!pattern)
            return std::unexpected(pattern.error());
        const auto& field = pattern->parts[2];
        if (options.has(master_fields) && field != "*" && std::ranges::find(kFieldNames, field) == kFieldNames.end())
            return std::unexpected(fmt::format("invalid service attribute name: \"{}\"", field));
        out.push_back(std::move(*pattern));
    }
    return out;
}

} // namespace

Result show_master(const Instance& instance, const Options& options)
{
    auto patterns = patterns_of(options);
    if (!patterns)
        return std::unexpected(patterns.error());
    const bool everything = patterns->empty();
    if (everything)
        patterns->emplace_back();
    Shower shower{instance, options, {}};
    for (const auto& entry : instance.entries())
        for (auto& pattern : *patterns)
            if (pattern.matches(entry) && shower.show(entry, pattern)) {
                pattern.used = true;
                if (!shower.failure.empty())
                    return std::unexpected(shower.failure);
                if (options.has(master_entries))
                    break;
            }
    for (const auto& pattern : *patterns)
        if (!everything && !pattern.used)
            log::warning("unmatched request: \"{}\"", pattern.text);
    return {};
}

} // namespace facteur::postconf
