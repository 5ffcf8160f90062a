// The text form of a table: "key whitespace value" lines, as postmap and texthash read them. Source: postmap(1),
// INPUT FILE FORMAT.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace facteur::table {

struct TextSourceOptions {
    bool utf8 = false;             // leave out lines that are not UTF-8
    bool values_are_files = false; // a value becomes its files' content, in base64
    std::string_view ignoring;     // end of the warning about a line without a value: " -- ignoring this line"
};

// Calls take(key, value, line number) for each entry, in order, until it returns false. A line that is not an entry
// gets a warning that names the file. A key in double quotes keeps them.
void read_text_source(std::string_view text, std::string_view file, const TextSourceOptions& options,
                      const std::function<bool(std::string_view, std::string_view, int)>& take);

} // namespace facteur::table
