// What postmap and postalias do to tables: index a source, ask, remove, list. Errors are sentences for the user, after
// which the program ends with status 1; warnings are logged.
#pragma once

#include "config/config.h"
#include "table/builder.h"
#include "table/table.h"

#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::table {

enum class SourceFormat { map, alias };

struct Maintenance {
    SourceFormat format = SourceFormat::map;
    TableOptions table;
    bool incremental = false; // from standard input, into the table that is there
    Duplicates duplicates = Duplicates::warn;
    bool keep_root = false;   // do not become the source's owner
    bool inherit_mode = true; // a new file gives no more rights than its source
};

// Indexes the file that spec names.
[[nodiscard]] std::expected<void, std::string> build_table(std::string_view spec, const Maintenance& how,
                                                           const config::Config& config);

// Removes a key from each table. False: no table had it.
[[nodiscard]] std::expected<bool, std::string> erase_from_tables(const std::vector<std::string>& specs,
                                                                 std::string_view key, const Maintenance& how,
                                                                 const config::Config& config);

// Writes all pairs of a table to standard output.
[[nodiscard]] std::expected<void, std::string> list_table(std::string_view spec, const Maintenance& how,
                                                          const config::Config& config);

// Keys asked one after the other; a table is opened when a key first gets to it.
class TableQuery {
public:
    TableQuery(std::vector<std::string> specs, const Maintenance& how, const config::Config& config);

    // Writes the first table's value to standard output, behind the key when asked so. False: not found.
    enum class Print { value, pair };
    [[nodiscard]] std::expected<bool, std::string> ask(std::string_view key, Print print);

private:
    std::vector<std::string> specs_;
    std::vector<std::unique_ptr<Table>> tables_;
    const Maintenance& how_;
    const config::Config& config_;
};

// Each line of standard input; the error of the first call that has one.
[[nodiscard]] std::expected<bool, std::string>
for_each_input_line(const std::function<std::expected<bool, std::string>(std::string_view line)>& take);

} // namespace facteur::table
