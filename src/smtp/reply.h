// SMTP replies: reading a server's, writing ours. Sources: RFC 5321 s4.2, RFC 3463, RFC 2034.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace facteur::smtp {

// class.subject.detail of RFC 3463: "4.7.1".
struct EnhancedStatus {
    std::uint16_t status_class = 0; // 2, 4 or 5
    std::uint16_t subject = 0;
    std::uint16_t detail = 0;

    [[nodiscard]] std::string text() const;
    bool operator==(const EnhancedStatus&) const = default;
};

// The whole text must be a status.
std::optional<EnhancedStatus> parse_enhanced_status(std::string_view text);

// A status at the start of a text, and what follows it and the white space after it. Without one the text is whole.
struct StatusAndText {
    std::optional<EnhancedStatus> status;
    std::string_view text;
};
StatusAndText split_enhanced_status(std::string_view text);

// One line of a reply, without its line end. Views point into the line.
struct ReplyLine {
    int code = 0;                         // 100 to 599
    bool last = true;                     // false: "250-", more lines follow
    std::optional<EnhancedStatus> status; // only when its class is that of the code
    std::string_view text;                // after code and status
    std::string_view full_text;           // after the code
};
// Nothing when the line is no reply: not three digits, or another character than space and '-' after them.
std::optional<ReplyLine> parse_reply_line(std::string_view line);

// A whole reply. Lines are joined by '\n'.
struct Reply {
    int code = 0;
    std::optional<EnhancedStatus> status; // of the last line that has one
    std::string text;                     // "4.7.1 try later\n4.7.1 really": what follows the code in each line

    [[nodiscard]] bool positive() const { return code >= 200 && code < 300; }
    [[nodiscard]] bool intermediate() const { return code >= 300 && code < 400; }
    [[nodiscard]] bool transient() const { return code >= 400 && code < 500; }
    [[nodiscard]] bool permanent() const { return code >= 500 && code < 600; }
    // "450 4.7.1 try later 4.7.1 really": for logs, one line, unprintable characters as '?'.
    [[nodiscard]] std::string one_line() const;
};

// Gathers the lines of one reply.
class ReplyReader {
public:
    enum class Step { more, done, malformed };
    // Bounded: text beyond 64 KB is dropped, more than 1000 lines are malformed.
    Step add(std::string_view line);
    // After done: the reply; the reader is ready for the next.
    Reply take();

private:
    Reply reply_;
    std::size_t lines_ = 0;
};

// Wire form of a reply of ours: "250-first\r\n250 second\r\n" from "250 first\nsecond". The text begins with its code;
// an enhanced status after the code is repeated on each line. Texts come out printable.
std::string format_reply(std::string_view reply);

} // namespace facteur::smtp
