#include "agent/local_form.h"

#include "mail/address.h"

#include <fmt/format.h>

#include <ctime>

namespace facteur::agent {

namespace {
constexpr std::string_view kFrom = "From ";
}

void LocalForm::feed(std::string_view piece, std::string& out)
{
    std::string joined;
    if (!held_.empty()) {
        joined = std::move(held_);
        held_.clear();
        joined += piece;
        piece = joined;
    }
    while (!piece.empty()) {
        if (line_start_ && quote_ && piece.size() < kFrom.size() && kFrom.starts_with(piece)) {
            held_ = piece;
            return;
        }
        if (line_start_ && quote_ && piece.starts_with(kFrom))
            out += '>';
        const auto end = piece.find('\n');
        std::string_view line = piece.substr(0, end);
        const bool ends_in_cr = line.ends_with('\r');
        if (ends_in_cr)
            line.remove_suffix(1);
        out += line;
        if (end == piece.npos) {
            // Whether this CR ends a line is known with the next piece.
            if (ends_in_cr)
                held_ = "\r";
            line_start_ = line_start_ && line.empty();
            return;
        }
        out += '\n';
        line_start_ = true;
        piece.remove_prefix(end + 1);
    }
}

void LocalForm::finish(std::string& out)
{
    out += held_;
    held_.clear();
}

std::string from_line(std::string_view sender, std::int64_t now)
{
    const std::time_t time = now;
    std::tm local{};
    ::localtime_r(&time, &local);
    constexpr std::string_view kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    constexpr std::string_view kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    return fmt::format("From {}  {} {} {:2} {:02}:{:02}:{:02} {}\n",
                       sender.empty() ? "MAILER-DAEMON" : mail::to_external(sender), kDays[local.tm_wday],
                       kMonths[local.tm_mon], local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec,
                       local.tm_year + 1900);
}

std::string delivery_headers(std::string_view sender, std::string_view original, std::string_view recipient)
{
    return fmt::format("Return-Path: <{}>\nX-Original-To: {}\nDelivered-To: {}\n", mail::to_external(sender),
                       mail::to_external(original.empty() ? recipient : original), mail::to_external(recipient));
}

} // namespace facteur::agent
