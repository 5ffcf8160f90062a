// Lookup tables: one interface, one driver a type. Source: DATABASE_README, "type:name" in postconf(5).
//
// A Table is synchronous and used by one thread at a time. Drivers that may wait for a network or a disk say
// blocking(); asynchronous callers (Maps in table/maps.h) run those on the worker pool.
#pragma once

#include "config/config.h"

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace facteur::table {

// The table cannot answer now. Callers turn this into 4xx or a deferral, never into "not found".
struct LookupError {
    std::string text; // empty when the table has logged the cause itself
    friend bool operator==(const LookupError&, const LookupError&) = default;
};
using LookupResult = std::expected<std::optional<std::string>, LookupError>;

// How the caller's keys look to the table. A pattern table (regexp, pcre, cidr) sees the whole key only; the caller
// asks is_pattern() and skips partial keys (user@, @domain, ...) for it.
struct TableOptions {
    bool fold_keys = true;          // fixed-string tables: store and look up in lower case
    bool allow_substitution = true; // $1 in regexp/pcre results; off where results reach security decisions
    bool utf8_checks = true; // with smtputf8_enable: refuse keys and values that are not UTF-8, fold all of Unicode
    bool values_are_files = false; // a text source's values name files; lookups give their content in base64
    enum class TrailingNull { either, with, without };
    TrailingNull trailing_null = TrailingNull::either; // of keys in indexed files
};

class Table {
public:
    virtual ~Table() = default;
    [[nodiscard]] virtual LookupResult lookup(std::string_view key) = 0;
    [[nodiscard]] virtual bool is_pattern() const { return false; }
    [[nodiscard]] virtual bool blocking() const { return false; }
    // True when the file behind it was replaced: a long-running daemon should start afresh.
    [[nodiscard]] virtual bool changed() const { return false; }
    // All pairs in order (postmap -s); nothing where the type cannot list.
    using Pairs = std::vector<std::pair<std::string, std::string>>;
    [[nodiscard]] virtual std::expected<std::optional<Pairs>, LookupError> list() { return std::nullopt; }

    const std::string& spec() const { return spec_; } // "hash:/etc/postfix/transport"
protected:
    explicit Table(std::string spec) : spec_(std::move(spec)) {}

private:
    std::string spec_;
};

// Opens "type:name". Never fails for a table that is merely unavailable: as in Postfix, such a table opens and each
// lookup reports the error. An unknown type gives such a table too, with the text
// "unsupported dictionary type: TYPE". A spec without a type gets default_database_type.
[[nodiscard]] std::unique_ptr<Table> open_table(std::string_view spec, const TableOptions& options,
                                                const config::Config& config);

// The same for a caller that wants to hear at once: the error is why the table cannot be opened ("open database
// /etc/aliases.lmdb: No such file or directory").
[[nodiscard]] std::expected<std::unique_ptr<Table>, std::string>
try_open_table(std::string_view spec, const TableOptions& options, const config::Config& config);

// Types this build knows, sorted ("btree", "cidr", ...), for postconf -m.
[[nodiscard]] std::vector<std::string> table_types();

} // namespace facteur::table
