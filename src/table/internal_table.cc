// "internal:": a table in memory that starts empty. Nothing in a configuration can fill it.
#include "table/driver.h"

namespace facteur::table {
namespace {

class InternalTable final : public Table {
public:
    explicit InternalTable(std::string spec) : Table(std::move(spec)) {}
    LookupResult lookup(std::string_view) override { return std::nullopt; }
    std::expected<std::optional<Pairs>, LookupError> list() override { return Pairs{}; }
};

} // namespace

Opened open_internal(const OpenRequest& request)
{
    return std::make_unique<InternalTable>(request.spec.text());
}

} // namespace facteur::table
