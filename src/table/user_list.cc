#include "table/user_list.h"

#include "config/match_list.h"
#include "table/table.h"

namespace facteur::table {

std::expected<bool, std::string> user_is_listed(std::string_view name, const config::StringParameter& parameter,
                                                const config::Config& config)
{
    const auto probe = [&config](std::string_view spec, std::string_view key) -> std::expected<bool, std::string> {
        const auto found = open_table(spec, {}, config)->lookup(key);
        if (!found)
            return std::unexpected(found.error().text);
        return found->has_value();
    };
    const auto list = config::MatchList::parse(
        config.get(parameter), {.kind = config::ListKind::text, .parameter = std::string(parameter.name)}, probe);
    if (!list)
        return std::unexpected(list.error());
    return list->matches(name);
}

} // namespace facteur::table
