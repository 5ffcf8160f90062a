// Content on its way into DATA: leading dots doubled, long lines broken, 8-bit text converted. Pure.
// Sources: RFC 5321 s4.5.2, s4.5.3.1.6.
#pragma once

#include "mail/mime.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace facteur::smtp_client {

class BodyEncoder {
public:
    // line_limit: longest line without its end, 0 for none; longer ones are broken by CRLF and a space.
    enum class Convert { nothing, to_seven_bit };
    BodyEncoder(std::size_t line_limit, Convert convert);

    // Content in chunks of any size; what is ready is appended to `out`.
    void push(std::string_view content, std::string& out);
    // Ends the last line, then the message: ".\r\n".
    void finish(std::string& out);
    [[nodiscard]] bool broke_lines() const { return broke_lines_; }

private:
    void put_lines(std::string_view content, std::string& out);
    void put_text(std::string_view text, std::string& out);
    void end_line(std::string& out);

    std::size_t line_limit_;
    std::optional<mail::EightBitDowngrade> downgrade_;
    std::string converted_;
    std::size_t column_ = 0;
    bool pending_cr_ = false;
    bool broke_lines_ = false;
};

} // namespace facteur::smtp_client
