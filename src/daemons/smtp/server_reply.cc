#include "daemons/smtp/server_reply.h"

#include "base/text.h"
#include "smtp/reply.h"

#include <algorithm>

namespace facteur::smtp_client {

namespace {

constexpr std::size_t kLongestText = 20480;

bool has_code(std::string_view line)
{
    return line.size() >= 3 && text::is_digit(line[0]) && text::is_digit(line[1]) && text::is_digit(line[2]);
}

// Codes that settle nothing have no status of their own; where one was not expected it is the server's mistake.
std::string status_of(char code_class, std::string_view text)
{
    if (code_class != '2' && code_class != '4' && code_class != '5')
        return "5.5.0";
    const auto status = smtp::split_enhanced_status(text).status;
    return status && status->status_class == code_class - '0' ? status->text() : fmt::format("{}.0.0", code_class);
}

} // namespace

std::string Reply::one_line() const
{
    std::string joined = text;
    std::ranges::replace(joined, '\n', ' ');
    return joined;
}

bool ReplyParser::add(std::string_view line)
{
    if (reply_.text.size() < kLongestText) {
        if (!reply_.text.empty())
            reply_.text += '\n';
        reply_.text += text::printable(line, text::Utf8::allow);
    }
    const std::string_view after = has_code(line) ? line.substr(3) : "?";
    if (!after.empty() && after[0] != ' ' && after[0] != '-') {
        malformed_ = true;
        return false;
    }
    if (after.starts_with('-'))
        return false;
    reply_.code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
    reply_.status = status_of(line[0], text::trim(after));
    return true;
}

Reply ReplyParser::take()
{
    malformed_ = false;
    return std::exchange(reply_, {});
}

} // namespace facteur::smtp_client
