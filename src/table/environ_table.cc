// "environ:": the process's environment.
#include "table/driver.h"
#include "table/fold.h"

#include <cstdlib>

namespace facteur::table {
namespace {

class EnvironTable final : public Table {
public:
    EnvironTable(std::string spec, bool fold) : Table(std::move(spec)), fold_(fold) {}
    LookupResult lookup(std::string_view key) override
    {
        const char* value = std::getenv(fold_ ? fold_key(key, FoldRange::ascii).c_str() : std::string(key).c_str());
        return value ? std::optional<std::string>(value) : std::nullopt;
    }

private:
    bool fold_;
};

} // namespace

Opened open_environ(const OpenRequest& request)
{
    return std::make_unique<EnvironTable>(request.spec.text(), request.options.fold_keys);
}

} // namespace facteur::table
