// What regexp and pcre tables share: rules in order, the first that matches answers. Source: regexp_table(5),
// pcre_table(5).
#pragma once

#include "table/driver.h"
#include "table/replacement.h"
#include "table/source_lines.h"

#include <functional>
#include <memory>

namespace facteur::table {

// One compiled expression.
class Matcher {
public:
    virtual ~Matcher() = default;
    // Fills groups when given. The error is for the log; the rule then counts as not matching.
    virtual std::expected<bool, std::string> match(const std::string& key, Groups* groups) = 0;
    [[nodiscard]] virtual int group_count() const = 0;
};

enum class WantGroups { no, yes };

// How the two kinds differ.
struct PatternDialect {
    std::string_view unclosed;    // end of the message about a missing delimiter
    std::string_view index_range; // "out of range"
    bool second_pattern;          // /one/!/two/ is understood
    using Warn = std::function<void(std::string_view)>;
    // The engine's options for a rule's flags. The error is a complete message.
    std::expected<unsigned, std::string> (*options)(std::string_view flags, const Warn& warn);
    // The error text is complete too ("Unmatched ( or \\(").
    std::expected<std::unique_ptr<Matcher>, std::string> (*compile)(const std::string& expression, unsigned options,
                                                                    WantGroups groups);
};

Opened open_pattern_table(const OpenRequest& request, const PatternDialect& dialect);

} // namespace facteur::table
