// A server's reply as the log, the sender and the DSN are to see it: every line whole, its code included. Pure.
// Source: RFC 5321 s4.2, RFC 2034.
#pragma once

#include <string>
#include <string_view>

namespace facteur::smtp_client {

struct Reply {
    int code = 0;       // 0: not a reply at all
    std::string status; // "5.1.1" when the reply says so and its class agrees with the code, else "5.0.0"; "5.5.0" for
                        // 1xx and 3xx
    std::string text;   // all lines as they came, joined by LF, unprintable bytes replaced

    [[nodiscard]] int kind() const { return code / 100; }
    [[nodiscard]] std::string one_line() const; // lines joined by a space
};

class ReplyParser {
public:
    // Lines without their end. True when this one ended the reply. What is no reply line is kept as text and skipped;
    // malformed() tells, because with pipelining nobody knows which command it answers.
    bool add(std::string_view line);
    [[nodiscard]] bool malformed() const { return malformed_; }
    // The reply; the parser is ready for the next.
    [[nodiscard]] Reply take();

private:
    Reply reply_;
    bool malformed_ = false;
};

} // namespace facteur::smtp_client
