#include "smtp/data_decoder.h"

#include <algorithm>

namespace facteur::smtp {

void DataDecoder::put_carriage_returns(std::string& out)
{
    out.append(carriage_returns_, '\r');
    carriage_returns_ = 0;
}

void DataDecoder::end_line(bool crlf, std::string& out)
{
    out += "\r\n";
    carriage_returns_ = 0;
    after_crlf_ = crlf;
    bare_newline_ |= !crlf;
    state_ = State::line_start;
}

std::size_t DataDecoder::decode(std::string_view in, std::string& out)
{
    std::size_t at = 0;
    while (at < in.size() && state_ != State::ended) {
        switch (state_) {
        case State::line_start:
            if (in[at] == '.' && mode_ == Mode::data) {
                state_ = State::dot;
                ++at;
            } else {
                state_ = State::text;
            }
            break;
        case State::dot:
            at = decode_dot(in, at, out);
            break;
        case State::text:
            at = decode_text(in, at, out);
            break;
        case State::ended:
            break;
        }
    }
    return at;
}

// After a dot at the start of a line: is the dot all there is?
std::size_t DataDecoder::decode_dot(std::string_view in, std::size_t at, std::string& out)
{
    const char c = in[at];
    if (c == '\r') {
        ++carriage_returns_;
        return at + 1;
    }
    if (c != '\n') {
        state_ = State::text; // the dot was stuffing
        put_carriage_returns(out);
        return at;
    }
    const bool crlf = carriage_returns_ > 0;
    const bool standard = carriage_returns_ == 1 && after_crlf_;
    bare_newline_ |= !crlf;
    if (standard || end_ == EndOfData::any_line_end) {
        state_ = State::ended;
        carriage_returns_ = 0;
    } else {
        end_line(crlf, out);
    }
    return at + 1;
}

std::size_t DataDecoder::decode_text(std::string_view in, std::size_t at, std::string& out)
{
    if (carriage_returns_ > 0) {
        for (; at < in.size() && in[at] == '\r'; ++at)
            ++carriage_returns_;
        if (at == in.size())
            return at;
        if (in[at] == '\n') {
            end_line(true, out);
            return at + 1;
        }
        put_carriage_returns(out);
    }
    // Lines that are right already are copied in one piece.
    const std::size_t start = at;
    for (std::size_t scan = at;;) {
        const auto newline = in.find('\n', scan);
        if (newline == in.npos) {
            std::size_t end = in.size();
            while (end > scan && in[end - 1] == '\r')
                --end;
            out.append(in, start, end - start);
            carriage_returns_ += in.size() - end;
            return in.size();
        }
        std::size_t end = newline;
        while (end > scan && in[end - 1] == '\r')
            --end;
        if (newline - end == 1) {
            scan = newline + 1;
            after_crlf_ = true;
            const bool look = scan == in.size() || (in[scan] == '.' && mode_ == Mode::data);
            if (!look)
                continue;
            out.append(in, start, scan - start);
            state_ = State::line_start;
            return scan;
        }
        out.append(in, start, end - start);
        end_line(newline > end, out);
        return newline + 1;
    }
}

void DataDecoder::finish(std::string& out)
{
    if (state_ == State::text)
        out += "\r\n";
    state_ = State::ended;
}

} // namespace facteur::smtp
