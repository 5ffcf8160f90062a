// "pipemap:{a:b, c:d}": each member's answer is the next one's key; the last one's answer counts.
#include "table/compound_table.h"

namespace facteur::table {
namespace {

class PipeTable final : public CompoundTable {
public:
    using CompoundTable::CompoundTable;

    LookupResult lookup(std::string_view key) override
    {
        std::string current(key);
        for (const auto& member : members()) {
            LookupResult result = member->lookup(current);
            if (!result || !*result)
                return result;
            current = std::move(**result);
        }
        return current;
    }
};

} // namespace

Opened open_pipemap(const OpenRequest& request)
{
    auto members = open_members(request);
    if (!members)
        return std::unexpected(members.error());
    return std::make_unique<PipeTable>(request.spec.text(), std::move(*members));
}

} // namespace facteur::table
