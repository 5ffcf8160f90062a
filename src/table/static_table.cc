// "static:value", "static:{text with spaces}": the same answer for every key.
#include "base/text.h"
#include "table/braces.h"
#include "table/driver.h"
#include "table/file_values.h"

namespace facteur::table {
namespace {

class StaticTable final : public Table {
public:
    StaticTable(std::string spec, std::string value) : Table(std::move(spec)), value_(std::move(value)) {}
    LookupResult lookup(std::string_view) override { return value_; }

private:
    std::string value_;
};

} // namespace

Opened open_static(const OpenRequest& request)
{
    std::string value = request.spec.name;
    if (value.starts_with('{')) {
        const auto inside = strip_braces(request.spec.name);
        if (!inside)
            return std::unexpected(fmt::format("bad static:name syntax: {}", inside.error()));
        value = *inside;
    }
    if (request.options.values_are_files) {
        auto encoded = base64_of_files(value);
        if (!encoded)
            return std::unexpected(encoded.error());
        value = std::move(*encoded);
    }
    return std::make_unique<StaticTable>(request.spec.text(), std::move(value));
}

} // namespace facteur::table
