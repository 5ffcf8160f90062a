#include "daemons/smtp/server_reply.h"

#include "base/text.h"
#include "smtp/reply.h"

#include <algorithm>

namespace facteur::smtp_client {

namespace {

constexpr std::size_t kLongestText = 20480;

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
    const auto parsed = smtp::parse_reply_line(line);
    if (!parsed) {
        malformed_ = true;
        return false;
    }
    if (!parsed->last)
        return false;
    reply_.code = parsed->code;
    reply_.status = parsed->status ? parsed->status->text() : fmt::format("{}.0.0", parsed->code / 100);
    return true;
}

Reply ReplyParser::take()
{
    malformed_ = false;
    return std::exchange(reply_, {});
}

} // namespace facteur::smtp_client
