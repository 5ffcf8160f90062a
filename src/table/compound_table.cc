#include "table/compound_table.h"

#include "table/braces.h"

#include <algorithm>

namespace facteur::table {

std::expected<Tables, std::string> open_members(const OpenRequest& request)
{
    const auto bad_syntax = [&] {
        return std::unexpected(
            fmt::format("bad syntax: \"{}\"; need \"{}:{{type:name...}}\"", request.spec.text(), request.spec.type));
    };
    const auto specs = braced_list(request.spec.name);
    if (specs.empty() || std::ranges::any_of(specs, [](std::string_view spec) { return spec.find(':') == spec.npos; }))
        return bad_syntax();
    Tables tables;
    for (const std::string_view spec : specs) {
        auto table = try_open_table(spec, request.options, request.config);
        if (!table)
            return std::unexpected(table.error());
        tables.push_back(std::move(*table));
    }
    return tables;
}

bool CompoundTable::is_pattern() const
{
    return std::ranges::all_of(members_, [](const auto& table) { return table->is_pattern(); });
}

bool CompoundTable::blocking() const
{
    return std::ranges::any_of(members_, [](const auto& table) { return table->blocking(); });
}

bool CompoundTable::changed() const
{
    return std::ranges::any_of(members_, [](const auto& table) { return table->changed(); });
}

} // namespace facteur::table
