// A table of fixed strings held in memory: what inline and texthash tables become.
#pragma once

#include "table/driver.h"
#include "table/file_stamp.h"
#include "table/fold.h"

#include <unordered_map>

namespace facteur::table {

// How a table of fixed strings treats its keys.
class KeyForm {
public:
    explicit KeyForm(const OpenRequest& request)
        : fold_(request.options.fold_keys), range_(request.utf8() ? FoldRange::unicode : FoldRange::ascii)
    {
    }
    [[nodiscard]] std::string of(std::string_view key) const
    {
        return fold_ ? fold_key(key, range_) : std::string(key);
    }

private:
    bool fold_;
    FoldRange range_;
};

class MemoryTable final : public Table {
public:
    using Content = std::unordered_map<std::string, std::string>;
    MemoryTable(std::string spec, KeyForm keys, Content content, WatchedFile watch)
        : Table(std::move(spec)), keys_(keys), content_(std::move(content)), watch_(std::move(watch))
    {
    }

    LookupResult lookup(std::string_view key) override
    {
        const auto found = content_.find(keys_.of(key));
        return found == content_.end() ? std::nullopt : std::optional<std::string>(found->second);
    }
    bool changed() const override { return watch_.changed(); }
    std::expected<std::optional<Pairs>, LookupError> list() override { return Pairs(content_.begin(), content_.end()); }

private:
    KeyForm keys_;
    Content content_;
    WatchedFile watch_;
};

} // namespace facteur::table
