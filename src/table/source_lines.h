// The logical lines of a table's source, from a file or from the braces of its name.
#pragma once

#include "table/driver.h"
#include "table/file_stamp.h"

#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::table {

struct SourceLine {
    std::string text; // trimmed
    int number = 0;   // of its first physical line; of the element, in a name with braces
};

// A line that begins with white space and continues nothing gets a warning that names the file, and is left out. Text
// after a NUL is ignored.
std::vector<SourceLine> source_lines(std::string_view file_text, std::string_view file);

// A whole file, read again while it changes under the reader.
struct SourceFile {
    std::string text;
    WatchedFile watch;
};
std::expected<SourceFile, std::string> read_source(const std::string& path, std::string_view what);

// A rule table (regexp, pcre, cidr).
struct RuleSource {
    std::string map; // "pcre map /etc/postfix/x", for messages
    std::vector<SourceLine> lines;
    WatchedFile watch; // of nothing, for braces

    void warn(int line, std::string_view text) const; // "pcre map x, line 3: text"
};
std::expected<RuleSource, std::string> read_rules(const OpenRequest& request);

// Which IF is still open. Rules stand in one vector; an IF that does not match jumps behind its ENDIF.
class OpenBlocks {
public:
    struct Block {
        std::size_t rule; // index of the IF
        int line;
    };
    void enter(std::size_t rule, int line) { blocks_.push_back({rule, line}); }
    std::optional<Block> leave();
    [[nodiscard]] const std::vector<Block>& unclosed() const { return blocks_; }

private:
    std::vector<Block> blocks_;
};

// True when text begins with the word, in any case, and the word ends there.
bool starts_with_keyword(std::string_view text, std::string_view word);

} // namespace facteur::table
