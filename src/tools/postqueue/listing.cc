#include "tools/postqueue/listing.h"

#include "base/json.h"
#include "base/text.h"

#include <fmt/format.h>

#include <ctime>

namespace facteur::postqueue {

namespace {

constexpr std::size_t kReasonWidth = 76; // reasons end in this column, longer ones start in the first

std::string arrival_text(std::int64_t seconds)
{
    const std::time_t time = seconds;
    std::tm parts{};
    ::localtime_r(&time, &parts);
    char text[40];
    const std::size_t length = std::strftime(text, sizeof text, "%a %b %e %H:%M:%S", &parts);
    return {text, length};
}

std::string status_marks(const ipc::ListEntry& entry)
{
    std::string marks;
    if (entry.queue() == "active")
        marks += '*';
    else if (entry.queue() == "hold")
        marks += '!';
    if (entry.forced_expire())
        marks += '#';
    return marks;
}

std::string row(IdWidth width, std::string_view id, std::string_view size, std::string_view time,
                std::string_view address)
{
    return width == IdWidth::long_ids ? fmt::format("{:<17} {:>8} {:<19} {}\n", id, size, time, address)
                                      : fmt::format("{:<11} {:>7} {:<20} {}\n", id, size, time, address);
}

std::string_view heading(IdWidth width)
{
    return width == IdWidth::long_ids ? "----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------\n"
                                      : "-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------\n";
}

} // namespace

std::string TraditionalListing::entry(const ipc::ListEntry& entry)
{
    std::string out(requests_ == 0 ? heading(width_) : "\n");
    ++requests_;
    bytes_ += entry.size();
    const auto shown = [](std::string_view text) { return text::printable(text, text::Utf8::allow); };
    out += row(width_, entry.queue_id() + status_marks(entry), fmt::format("{}", entry.size()),
               arrival_text(entry.arrival_seconds()), shown(entry.sender()));
    std::string_view last_reason;
    for (const auto& recipient : entry.recipients()) {
        if (recipient.reason() != last_reason && !recipient.reason().empty()) {
            const std::size_t padding =
                recipient.reason().size() < kReasonWidth ? kReasonWidth - recipient.reason().size() : 0;
            out += fmt::format("{}({})\n", std::string(padding, ' '), shown(recipient.reason()));
        }
        last_reason = recipient.reason();
        out += row(width_, "", "", "", shown(recipient.address()));
    }
    return out;
}

std::string TraditionalListing::end() const
{
    if (requests_ == 0)
        return "Mail queue is empty\n";
    return fmt::format("\n-- {} Kbytes in {} Request{}.\n", bytes_ / 1024, requests_, requests_ == 1 ? "" : "s");
}

std::string json_line(const ipc::ListEntry& entry)
{
    std::string out = fmt::format(
        R"({{"queue_name": {}, "queue_id": {}, "arrival_time": {}, "message_size": {}, "forced_expire": {}, "sender": {}, "recipients": [)",
        json_string(entry.queue()), json_string(entry.queue_id()), entry.arrival_seconds(), entry.size(),
        entry.forced_expire() ? "true" : "false", json_string(entry.sender()));
    std::string_view separator;
    for (const auto& recipient : entry.recipients()) {
        out += fmt::format(R"({}{{"address": {})", separator, json_string(recipient.address()));
        if (!recipient.reason().empty())
            out += fmt::format(R"(, "delay_reason": {})", json_string(recipient.reason()));
        out += '}';
        separator = ", ";
    }
    return out + "]}\n";
}

} // namespace facteur::postqueue
