#include "base/log.h"
#include "base/text.h"
#include "config/params.h"
#include "table/driver.h"

#include <algorithm>
#include <array>

namespace facteur::table {
namespace {

struct Driver {
    std::string_view type;
    OpenFunction open;
};

// Sorted by type.
constexpr auto kDrivers = std::to_array<Driver>({
    {"btree", open_lmdb},
    {"cidr", open_cidr},
    {"debug", open_debug},
    {"environ", open_environ},
    {"fail", open_fail},
    {"hash", open_lmdb},
    {"inline", open_inline},
    {"internal", open_internal},
    {"lmdb", open_lmdb},
    {"pcre", open_pcre},
    {"pipemap", open_pipemap},
    {"proxy", open_proxy},
    {"randmap", open_randmap},
    {"regexp", open_regexp},
    {"static", open_static},
    {"texthash", open_texthash},
    {"unionmap", open_unionmap},
    {"unix", open_unix},
});
static_assert(std::ranges::is_sorted(kDrivers, {}, &Driver::type));

// Stands in for a table that could not be opened.
class UnavailableTable final : public Table {
public:
    UnavailableTable(std::string spec, std::string reason) : Table(std::move(spec)), reason_(std::move(reason)) {}

    LookupResult lookup(std::string_view) override
    {
        log::warning("{} is unavailable. {}", spec(), reason_);
        return std::unexpected(LookupError{reason_});
    }

private:
    std::string reason_;
};

// Keeps text that is not UTF-8 away from a table and from its callers.
class Utf8CheckedTable final : public Table {
public:
    explicit Utf8CheckedTable(std::unique_ptr<Table> inner) : Table(inner->spec()), inner_(std::move(inner)) {}

    LookupResult lookup(std::string_view key) override
    {
        if (!text::valid_utf8(key)) {
            log::warning("{}: non-UTF-8 key \"{}\": malformed UTF-8 or invalid codepoint", shown(spec()), shown(key));
            return std::nullopt;
        }
        LookupResult result = inner_->lookup(key);
        if (result && *result && !text::valid_utf8(**result)) {
            log::warning("{}: key \"{}\": non-UTF-8 value \"{}\": malformed UTF-8 or invalid codepoint", shown(spec()),
                         shown(key), shown(**result));
            return std::unexpected(LookupError{});
        }
        return result;
    }
    bool is_pattern() const override { return inner_->is_pattern(); }
    bool blocking() const override { return inner_->blocking(); }
    bool changed() const override { return inner_->changed(); }
    std::expected<std::optional<Pairs>, LookupError> list() override { return inner_->list(); }

private:
    static std::string shown(std::string_view text) { return text::printable(text, text::Utf8::allow); }

    std::unique_ptr<Table> inner_;
};

} // namespace

std::expected<Spec, std::string> parse_spec(std::string_view text, std::string_view default_type)
{
    const auto colon = text.find(':');
    if (colon == text.npos)
        return Spec{std::string(default_type), std::string(text)};
    if (colon == 0 || colon + 1 == text.size())
        return std::unexpected(fmt::format("open dictionary: expecting \"type:name\" form instead of \"{}\"", text));
    return Spec{std::string(text.substr(0, colon)), std::string(text.substr(colon + 1))};
}

bool OpenRequest::utf8() const
{
    return options.utf8_checks && config.get(config::params::smtputf8_enable);
}

OpenFunction find_driver(std::string_view type)
{
    const auto at = std::ranges::lower_bound(kDrivers, type, {}, &Driver::type);
    return at != kDrivers.end() && at->type == type ? at->open : nullptr;
}

bool is_indexed_type(std::string_view type)
{
    return find_driver(type) == open_lmdb;
}

std::expected<std::unique_ptr<Table>, std::string> try_open_table(std::string_view text, const TableOptions& options,
                                                                  const config::Config& config)
{
    const auto spec = parse_spec(text, config.get(config::params::default_database_type));
    if (!spec)
        return std::unexpected(spec.error());
    const OpenFunction open = find_driver(spec->type);
    if (!open)
        return std::unexpected(fmt::format("unsupported dictionary type: {}", spec->type));
    const OpenRequest request{*spec, options, config};
    Opened table = open(request);
    if (!table || !request.utf8())
        return table;
    return std::make_unique<Utf8CheckedTable>(std::move(*table));
}

std::unique_ptr<Table> open_table(std::string_view spec, const TableOptions& options, const config::Config& config)
{
    auto table = try_open_table(spec, options, config);
    if (table)
        return std::move(*table);
    log::error("{}", table.error());
    const auto parsed = parse_spec(spec, config.get(config::params::default_database_type));
    return std::make_unique<UnavailableTable>(parsed ? parsed->text() : std::string(spec), table.error());
}

std::vector<std::string> table_types()
{
    std::vector<std::string> types;
    for (const Driver& driver : kDrivers)
        types.emplace_back(driver.type);
    return types;
}

} // namespace facteur::table
