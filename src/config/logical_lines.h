// Logical lines of main.cf, master.cf and table files: a line that begins with white space continues the one before it;
// empty lines and lines whose first visible character is '#' are skipped and end nothing.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace facteur::config {

struct LogicalLine {
    std::string text;               // continuations appended without their newline, their leading white space kept
    int first = 0;                  // number of its first physical line, from 1
    bool starts_with_space = false; // nothing stood before it that it could continue
};

std::vector<LogicalLine> logical_lines(std::string_view file_text);

// "name = value" of one logical line. On failure `error` says why, as Postfix words it.
struct NameValue {
    std::string_view name;
    std::string_view value;
    std::string_view error;
};
NameValue split_name_value(std::string_view line);

} // namespace facteur::config
