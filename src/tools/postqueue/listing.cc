#include "tools/postqueue/listing.h"

#include "base/json.h"
#include "base/text.h"
#include "mail/address.h"
#include "queue/spool.h"

#include <fmt/format.h>

#include <charconv>
#include <ctime>

namespace facteur::postqueue {

namespace {

constexpr std::size_t kReasonWidth = 76; // reasons end in this column, longer ones start in the first
constexpr std::size_t kMinutes = 8192;   // remembered: the five days that mail usually waits

// An address that is shown as it is: a dot-atom and a plain domain, nothing to quote anywhere.
bool is_plain(std::string_view address)
{
    bool domain = false;
    char last = '.'; // as if: no part begins with a dot
    for (const char c : address) {
        if (c == '@' ? domain || last == '.' : c == '.' ? last == '.' || last == '@' : false)
            return false;
        if (!text::is_alnum(c) && c != '.' && c != '@' && c != '-' && c != '_' && c != '+' && c != '=')
            return false;
        domain |= c == '@';
        last = c;
    }
    return last != '.';
}

// What a person reads: quoted, MAILER-DAEMON for the null address.
std::string external(std::string_view address)
{
    return address.empty() ? std::string("MAILER-DAEMON") : mail::to_external(address);
}

std::string shown(std::string_view text)
{
    return text::printable(text, text::Utf8::allow);
}

std::string shown_address(std::string_view address)
{
    return shown(external(address));
}

std::string json_address(std::string_view address)
{
    return json_string(external(address));
}

std::string reason_line(std::string_view reason)
{
    const std::size_t padding = reason.size() < kReasonWidth ? kReasonWidth - reason.size() : 0;
    return fmt::format("{}({})\n", std::string(padding, ' '), shown(reason));
}

std::string json_reason(std::string_view reason)
{
    return fmt::format(R"(, "delay_reason": {})", json_string(reason));
}

template <typename Number>
void append_number(std::string& out, Number number, std::size_t width = 0)
{
    char digits[24];
    const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
    const auto length = static_cast<std::size_t>(end - digits);
    if (length < width)
        out.append(width - length, ' ');
    out.append(digits, length);
}

void fill(std::string& out, std::size_t to)
{
    if (out.size() < to)
        out.append(to - out.size(), ' ');
}

std::string arrival_text(std::int64_t seconds)
{
    const std::time_t time = seconds;
    std::tm parts{};
    ::localtime_r(&time, &parts);
    char text[40];
    const std::size_t length = std::strftime(text, sizeof text, "%a %b %e %H:%M:%S", &parts);
    return {text, length};
}

struct Columns {
    std::size_t id;
    std::size_t size;
    std::size_t time;
    std::string_view heading;
    [[nodiscard]] std::size_t before_address() const { return id + 1 + size + 1 + time + 1; }
};

constexpr Columns kShort{11, 7, 20, "-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------\n"};
constexpr Columns kLong{17, 8, 19, "----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------\n"};

} // namespace

void ArrivalTexts::append(std::string& out, std::int64_t seconds)
{
    minutes_.resize(kMinutes);
    const std::int64_t number = seconds / 60;
    Minute& minute = minutes_[static_cast<std::size_t>(number) % kMinutes];
    if (seconds >= 0 && minute.number != number) {
        minute.number = number;
        minute.text = arrival_text(number * 60);
        if (!minute.text.ends_with(":00"))
            minute.text.clear();
    }
    if (seconds < 0 || minute.text.empty()) {
        out += arrival_text(seconds);
        return;
    }
    out += minute.text;
    const auto second = static_cast<char>(seconds % 60);
    out.end()[-2] = static_cast<char>('0' + second / 10);
    out.end()[-1] = static_cast<char>('0' + second % 10);
}

void TraditionalListing::begin_page()
{
    senders_.clear();
    reasons_.clear();
}

void TraditionalListing::append(std::string& out, ipc::ListPage& page)
{
    const Columns& columns = width_ == IdWidth::long_ids ? kLong : kShort;
    const ipc::ListedMessage& message = page.message();
    out += requests_ == 0 ? columns.heading : "\n";
    ++requests_;
    bytes_ += message.size;
    const std::size_t row = out.size();
    out += message.id;
    if (message.queue == queue::kActive)
        out += '*';
    else if (message.queue == queue::kHold)
        out += '!';
    if (message.forced_expire)
        out += '#';
    fill(out, row + columns.id);
    out += ' ';
    append_number(out, message.size, columns.size);
    out += ' ';
    const std::size_t time = out.size();
    arrivals_.append(out, message.arrival_seconds);
    fill(out, time + columns.time);
    out += ' ';
    out += senders_.form(page, message.sender, shown_address);
    out += '\n';
    std::string_view last_reason;
    for (ipc::ListedRecipient recipient; page.next_recipient(recipient);) {
        const std::string_view reason = page.text(recipient.reason);
        if (reason != last_reason && !reason.empty())
            out += reasons_.form(page, recipient.reason, reason_line);
        last_reason = reason;
        out.append(columns.before_address(), ' ');
        if (is_plain(recipient.address))
            out += recipient.address;
        else
            out += shown_address(recipient.address);
        out += '\n';
    }
}

std::string TraditionalListing::end() const
{
    if (requests_ == 0)
        return "Mail queue is empty\n";
    return fmt::format("\n-- {} Kbytes in {} Request{}.\n", bytes_ / 1024, requests_, requests_ == 1 ? "" : "s");
}

void JsonListing::begin_page()
{
    senders_.clear();
    reasons_.clear();
}

void JsonListing::append(std::string& out, ipc::ListPage& page)
{
    const ipc::ListedMessage& message = page.message();
    out += R"({"queue_name": )";
    out += json_string(message.queue);
    out += R"(, "queue_id": )";
    out += json_string(message.id);
    out += R"(, "arrival_time": )";
    append_number(out, message.arrival_seconds);
    out += R"(, "message_size": )";
    append_number(out, message.size);
    out += message.forced_expire ? R"(, "forced_expire": true, "sender": )" : R"(, "forced_expire": false, "sender": )";
    out += senders_.form(page, message.sender, json_address);
    out += R"(, "recipients": [)";
    std::string_view separator = R"({"address": )";
    for (ipc::ListedRecipient recipient; page.next_recipient(recipient);) {
        out += separator;
        separator = R"(, {"address": )";
        if (is_plain(recipient.address))
            out.append("\"").append(recipient.address).append("\"");
        else
            out += json_address(recipient.address);
        if (recipient.reason != ipc::kEmptyText)
            out += reasons_.form(page, recipient.reason, json_reason);
        out += '}';
    }
    out += "]}\n";
}

} // namespace facteur::postqueue
