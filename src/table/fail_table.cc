// "fail:": every lookup fails; for testing how failures are handled.
#include "table/driver.h"

namespace facteur::table {
namespace {

class FailTable final : public Table {
public:
    explicit FailTable(std::string spec) : Table(std::move(spec)) {}
    LookupResult lookup(std::string_view) override { return std::unexpected(LookupError{"Application error"}); }
};

} // namespace

Opened open_fail(const OpenRequest& request)
{
    return std::make_unique<FailTable>(request.spec.text());
}

} // namespace facteur::table
