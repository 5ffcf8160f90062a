// Dates and message ids as headers carry them. Source: RFC 5322 s3.3, s3.6.4.
#pragma once

#include <ctime>
#include <string>
#include <string_view>

namespace facteur::mail {

// "Sun, 22 Nov 2026 05:31:00 +0000 (UTC)" in local time; the day of the month is padded with a space.
std::string mail_date(std::time_t when);
// The same from a broken-down time, which must have tm_gmtoff and tm_zone set.
std::string format_mail_date(const std::tm& time);

// "<20261122053100.4abc12@host.example>": the time in UTC and the queue id.
std::string make_message_id(std::time_t when, std::string_view queue_id, std::string_view hostname);

} // namespace facteur::mail
