// What the drivers see of each other: one opening function a table type. Private to this folder.
#pragma once

#include "table/table.h"

namespace facteur::table {

// "type:name", taken apart.
struct Spec {
    std::string type;
    std::string name;
    [[nodiscard]] std::string text() const { return type + ":" + name; }
};
// A text without ":" is a name of the default type. The error is a sentence for the log.
std::expected<Spec, std::string> parse_spec(std::string_view text, std::string_view default_type);

struct OpenRequest {
    const Spec& spec;
    const TableOptions& options;
    const config::Config& config;

    // Case folding and checks reach beyond ASCII.
    [[nodiscard]] bool utf8() const;
};
using Opened = std::expected<std::unique_ptr<Table>, std::string>;
using OpenFunction = Opened (*)(const OpenRequest&);

Opened open_cidr(const OpenRequest&);
Opened open_debug(const OpenRequest&);
Opened open_environ(const OpenRequest&);
Opened open_fail(const OpenRequest&);
Opened open_inline(const OpenRequest&);
Opened open_internal(const OpenRequest&);
Opened open_lmdb(const OpenRequest&); // also behind "hash" and "btree"
Opened open_pcre(const OpenRequest&);
Opened open_pipemap(const OpenRequest&);
Opened open_proxy(const OpenRequest&);
Opened open_randmap(const OpenRequest&);
Opened open_regexp(const OpenRequest&);
Opened open_static(const OpenRequest&);
Opened open_texthash(const OpenRequest&);
Opened open_unionmap(const OpenRequest&);
Opened open_unix(const OpenRequest&);

// Nothing when the type is unknown.
OpenFunction find_driver(std::string_view type);

// True for the types that are stored as LMDB files.
bool is_indexed_type(std::string_view type);

} // namespace facteur::table
