#include "smtp/reply.h"

#include "base/scanner.h"
#include "base/text.h"

#include <fmt/format.h>

#include <utility>

namespace facteur::smtp {

namespace {

constexpr std::size_t kMaxText = 64 << 10;
constexpr std::size_t kMaxLines = 1000;

EnhancedStatus scan_status(Scanner& in)
{
    const auto status_class = in.digits(1);
    in.expect('.');
    const auto subject = in.digits(3);
    in.expect('.');
    const auto detail = in.digits(3);
    if (!in.ok() || (*status_class != 2 && *status_class != 4 && *status_class != 5)) {
        in.fail();
        return {};
    }
    return {static_cast<std::uint16_t>(*status_class), static_cast<std::uint16_t>(*subject),
            static_cast<std::uint16_t>(*detail)};
}

} // namespace

std::string EnhancedStatus::text() const
{
    return fmt::format("{}.{}.{}", status_class, subject, detail);
}

std::optional<EnhancedStatus> parse_enhanced_status(std::string_view text)
{
    Scanner in{text};
    const EnhancedStatus status = scan_status(in);
    if (!in.complete())
        return std::nullopt;
    return status;
}

StatusAndText split_enhanced_status(std::string_view text)
{
    Scanner in{text};
    const EnhancedStatus status = scan_status(in);
    if (!in.ok() || (!in.at_end() && !text::is_space(in.peek())))
        return {std::nullopt, text};
    in.skip_space();
    return {status, in.rest()};
}

std::optional<ReplyLine> parse_reply_line(std::string_view line)
{
    if (line.size() < 3 || line[0] < '1' || line[0] > '5' || !text::is_digit(line[1]) || !text::is_digit(line[2]))
        return std::nullopt;
    ReplyLine parsed;
    parsed.code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
    line.remove_prefix(3);
    if (!line.empty()) {
        if (line[0] != ' ' && line[0] != '-')
            return std::nullopt;
        parsed.last = line[0] == ' ';
        line.remove_prefix(1);
    }
    parsed.full_text = line;
    const auto [status, text] = split_enhanced_status(line);
    const bool matches = status && status->status_class == parsed.code / 100;
    parsed.status = matches ? status : std::nullopt;
    parsed.text = matches ? text : line;
    return parsed;
}

std::string Reply::one_line() const
{
    std::string joined = text;
    for (char& c : joined)
        if (c == '\n')
            c = ' ';
    return fmt::format("{} {}", code, text::printable(joined, text::Utf8::allow));
}

ReplyReader::Step ReplyReader::add(std::string_view line)
{
    const auto parsed = parse_reply_line(line);
    if (!parsed || ++lines_ > kMaxLines)
        return Step::malformed;
    reply_.code = parsed->code;
    if (parsed->status)
        reply_.status = parsed->status;
    if (reply_.text.size() < kMaxText) {
        if (lines_ > 1)
            reply_.text += '\n';
        reply_.text += parsed->full_text.substr(0, kMaxText);
    }
    return parsed->last ? Step::done : Step::more;
}

Reply ReplyReader::take()
{
    // A status of another line's class says nothing about the outcome.
    if (reply_.status && reply_.status->status_class != reply_.code / 100)
        reply_.status.reset();
    lines_ = 0;
    return std::exchange(reply_, {});
}

std::string format_reply(std::string_view reply)
{
    const std::string_view code = reply.substr(0, 3);
    std::string_view rest = reply.size() > 4 ? reply.substr(4) : std::string_view{};
    std::string_view status = rest.substr(0, rest.find(' '));
    if (!parse_enhanced_status(status))
        status = {};

    std::string wire;
    for (bool first = true;; first = false) {
        const auto newline = rest.find('\n');
        const bool last = newline == rest.npos;
        const std::string_view line = rest.substr(0, newline);
        wire += code;
        wire += last ? ' ' : '-';
        if (!first && !status.empty()) {
            wire += status;
            wire += ' ';
        }
        wire += text::printable(line, text::Utf8::allow);
        wire += "\r\n";
        if (last)
            return wire;
        rest.remove_prefix(newline + 1);
    }
}

} // namespace facteur::smtp
