// The message as a program writes it to sendmail's standard input: lines up to a lone dot or the end of the file.
#pragma once

#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::sendmail {

enum class Carriage { keep, strip, as_first_line }; // sendmail_fix_line_endings: never, always, strict
Carriage carriage_of(std::string_view fix_line_endings);

// Takes bytes, gives lines of the message with LF ends. Leading "From " lines, which mailboxes put between messages,
// are left out.
class LineFilter {
public:
    LineFilter(bool dot_ends, Carriage carriage) : dot_ends_(dot_ends), carriage_(carriage) {}
    // False once a lone dot has ended the message.
    bool take(std::string_view bytes, std::string& out);
    void finish(std::string& out); // the last line, when nothing ended it

private:
    bool line(std::string_view text, std::string& out);
    bool dot_ends_;
    Carriage carriage_;
    bool at_start_ = true;
    bool ended_ = false;
    std::string partial_;
};

// Where the header block of a message ends: the offset of its first line that is no header; nothing while more is to
// come.
std::optional<std::size_t> header_end(std::string_view message);

// The recipients that -t takes: of To, Cc, Bcc, or of their Resent- forms when there is one. Internal form.
std::vector<std::string> header_recipients(std::string_view header_block);

} // namespace facteur::sendmail
