// Alias tables: their source format and the commands that index it. Source: aliases(5), postalias(1), newaliases(1).
#pragma once

#include "config/config.h"

#include <expected>
#include <functional>
#include <string>
#include <string_view>

namespace facteur::table {

// Calls take(name, value) for each "name: value" line, in order, until it returns false: the name as an envelope holds
// it (quotes off), the value as a header holds it. A line that is no alias gets a warning that names the file.
enum class AliasText { any, utf8_only };
void read_alias_source(std::string_view text, std::string_view file, AliasText accepted,
                       const std::function<bool(std::string_view name, std::string_view value)>& take);

// What newaliases and "sendmail -bi" do: indexes every table of alias_database anew. The error is a sentence for the
// user; the tables before the one that failed are done. Warnings are logged under the current tag; Postfix's say
// "postalias".
[[nodiscard]] std::expected<void, std::string> rebuild_alias_databases(const config::Config& config);

} // namespace facteur::table
