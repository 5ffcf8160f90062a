// "unionmap:{a:b, c:d}": the answers of all members that have the key, joined with commas.
#include "table/compound_table.h"

namespace facteur::table {
namespace {

class UnionTable final : public CompoundTable {
public:
    using CompoundTable::CompoundTable;

    LookupResult lookup(std::string_view key) override
    {
        std::string joined;
        for (const auto& member : members()) {
            LookupResult result = member->lookup(key);
            if (!result)
                return result;
            if (!*result || (*result)->empty())
                continue;
            if (!joined.empty())
                joined += ',';
            joined += **result;
        }
        return joined.empty() ? std::nullopt : std::optional(std::move(joined));
    }
};

} // namespace

Opened open_unionmap(const OpenRequest& request)
{
    auto members = open_members(request);
    if (!members)
        return std::unexpected(members.error());
    return std::make_unique<UnionTable>(request.spec.text(), std::move(*members));
}

} // namespace facteur::table
