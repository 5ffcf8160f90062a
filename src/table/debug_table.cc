// "debug:type:name": logs every lookup in the table type:name and its outcome.
#include "base/log.h"
#include "base/text.h"
#include "table/driver.h"

namespace facteur::table {
namespace {

class DebugTable final : public Table {
public:
    explicit DebugTable(std::unique_ptr<Table> inner) : Table("debug:" + inner->spec()), inner_(std::move(inner)) {}

    LookupResult lookup(std::string_view key) override
    {
        LookupResult result = inner_->lookup(key);
        const std::string_view outcome = !result ? "error" : !*result ? "not_found" : std::string_view(**result);
        log::info("{} lookup: \"{}\" = \"{}\"", inner_->spec(), text::printable(key, text::Utf8::allow),
                  text::printable(outcome, text::Utf8::allow));
        return result;
    }
    bool is_pattern() const override { return inner_->is_pattern(); }
    bool blocking() const override { return inner_->blocking(); }
    bool changed() const override { return inner_->changed(); }
    std::expected<std::optional<Pairs>, LookupError> list() override { return inner_->list(); }

private:
    std::unique_ptr<Table> inner_;
};

} // namespace

Opened open_debug(const OpenRequest& request)
{
    if (request.spec.name.find(':') == request.spec.name.npos)
        return std::unexpected(fmt::format("bad syntax: \"{0}\"; need \"debug:type:name\"", request.spec.text()));
    auto inner = try_open_table(request.spec.name, request.options, request.config);
    if (!inner)
        return inner;
    return std::make_unique<DebugTable>(std::move(*inner));
}

} // namespace facteur::table
