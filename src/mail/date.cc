#include "mail/date.h"

#include <fmt/format.h>

#include <cstdlib>

namespace facteur::mail {

std::string format_mail_date(const std::tm& time)
{
    constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const long minutes = std::labs(time.tm_gmtoff) / 60;
    std::string out = fmt::format("{}, {:2} {} {:04} {:02}:{:02}:{:02} {}{:02}{:02}", kDays[time.tm_wday % 7],
                                  time.tm_mday, kMonths[time.tm_mon % 12], time.tm_year + 1900, time.tm_hour,
                                  time.tm_min, time.tm_sec, time.tm_gmtoff < 0 ? '-' : '+', minutes / 60, minutes % 60);
    if (time.tm_zone != nullptr && *time.tm_zone != '\0')
        out += fmt::format(" ({})", time.tm_zone);
    return out;
}

std::string mail_date(std::time_t when)
{
    std::tm time{};
    localtime_r(&when, &time);
    return format_mail_date(time);
}

std::string make_message_id(std::time_t when, std::string_view queue_id, std::string_view hostname)
{
    std::tm time{};
    gmtime_r(&when, &time);
    return fmt::format("<{:04}{:02}{:02}{:02}{:02}{:02}.{}@{}>", time.tm_year + 1900, time.tm_mon + 1, time.tm_mday,
                       time.tm_hour, time.tm_min, time.tm_sec, queue_id, hostname);
}

} // namespace facteur::mail
