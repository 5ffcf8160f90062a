// Message content as it arrives: dots taken off, line ends made CRLF, the end of the data found. Sources: RFC 5321
// s4.1.1.4 and s4.5.2, RFC 3030 (BDAT), smtpd_forbid_bare_newline in postconf(5).
//
// The end of data is where smuggling happens: two servers that disagree on it see two different messages. With
// EndOfData::standard only <CR><LF>.<CR><LF> ends the content; a lone dot between other line ends is an ordinary line.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace facteur::smtp {

class DataDecoder {
public:
    enum class Mode { data /* dot-stuffed */, chunk /* BDAT: as it is */ };
    enum class EndOfData { standard, any_line_end };
    DataDecoder(Mode mode, EndOfData end) : mode_(mode), end_(end) {}

    // Decodes what has arrived, appending content to `out`; how much of `in` was used. Less than all only when the data
    // ended: the rest belongs to the next command.
    std::size_t decode(std::string_view in, std::string& out);
    // BDAT LAST: ends an unfinished line.
    void finish(std::string& out);

    [[nodiscard]] bool ended() const { return state_ == State::ended; }
    [[nodiscard]] bool saw_bare_newline() const { return bare_newline_; }

private:
    enum class State { line_start, dot, text, ended };
    std::size_t decode_dot(std::string_view in, std::size_t at, std::string& out);
    std::size_t decode_text(std::string_view in, std::size_t at, std::string& out);
    void end_line(bool crlf, std::string& out);
    void put_carriage_returns(std::string& out);

    Mode mode_;
    EndOfData end_;
    State state_ = State::line_start;
    std::size_t carriage_returns_ = 0; // seen, and not known yet whether they end the line
    bool after_crlf_ = true;           // the line before ended with CRLF: so did the DATA command
    bool bare_newline_ = false;
};

} // namespace facteur::smtp
