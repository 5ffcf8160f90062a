// Filling an indexed table from its source, entry by entry: what postmap and postalias do.
#pragma once

#include "table/driver.h"

#include <sys/types.h>

#include <expected>
#include <memory>
#include <string>
#include <string_view>

namespace facteur::table {

// What happens to an entry whose key exists.
enum class Duplicates { warn, replace, ignore };

struct BuildOptions {
    bool incremental = false; // add to the table that is there
    Duplicates duplicates = Duplicates::warn;
    mode_t mode = 0644; // of a new file
};

class TableBuilder {
public:
    virtual ~TableBuilder() = default;
    // Errors are sentences for the user: "error updating lmdb:x: ...".
    [[nodiscard]] virtual std::expected<void, std::string> put(std::string_view key, std::string_view value) = 0;
    // The key as it is, not folded.
    [[nodiscard]] virtual std::expected<void, std::string> put_exact(std::string_view key, std::string_view value,
                                                                     Duplicates duplicates) = 0;
    [[nodiscard]] virtual std::expected<void, std::string> finish() = 0;
};

// Nothing changes for readers until finish().
[[nodiscard]] std::expected<std::unique_ptr<TableBuilder>, std::string> open_builder(const OpenRequest& request,
                                                                                     const BuildOptions& options);

// Removes one key. False: it was not there.
[[nodiscard]] std::expected<bool, std::string> erase_key(const OpenRequest& request, std::string_view key);

} // namespace facteur::table
