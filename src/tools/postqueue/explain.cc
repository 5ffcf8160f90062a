#include "tools/postqueue/explain.h"

#include "base/json.h"
#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

namespace facteur::postqueue {

namespace {

using ipc::ExplainDestination;
using ipc::ExplainReply;

std::string shown(std::string_view text)
{
    return text::printable(text, text::Utf8::allow);
}

std::string clock_text(std::int64_t seconds)
{
    const std::time_t time = seconds;
    std::tm parts{};
    ::localtime_r(&time, &parts);
    char text[40];
    return {text, std::strftime(text, sizeof text, "%a %b %e %H:%M:%S %Y", &parts)};
}

// The two largest units: "2d 3h", "5m 10s", "0s".
std::string duration_text(std::int64_t seconds)
{
    struct Unit {
        std::int64_t seconds;
        char letter;
    };
    constexpr Unit kUnits[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    std::string out;
    int parts = 0;
    for (const auto& unit : kUnits) {
        if (const auto count = seconds / unit.seconds; count > 0 && parts < 2) {
            out += fmt::format("{}{}{}", parts++ > 0 ? " " : "", count, unit.letter);
            seconds %= unit.seconds;
        } else if (parts > 0) {
            break;
        }
    }
    return out.empty() ? "0s" : out;
}

std::string moment_text(std::int64_t when, std::int64_t now)
{
    return when <= now ? fmt::format("{} ({} ago)", clock_text(when), duration_text(now - when))
                       : fmt::format("{} (in {})", clock_text(when), duration_text(when - now));
}

const ExplainDestination* dead_destination(const ExplainReply& message)
{
    const auto& all = message.destinations();
    const auto dead =
        std::ranges::find_if(all, [](const ExplainDestination& each) { return each.dead() || each.transport_dead(); });
    return dead == all.end() ? nullptr : &*dead;
}

std::string origin_text(const queue::Envelope& envelope)
{
    const queue::Origin& origin = envelope.origin();
    std::string text;
    if (origin.client_address().empty())
        text = "a local program";
    else
        text = fmt::format("{}[{}]", shown(origin.client_name()), shown(origin.client_address()));
    if (!origin.protocol_name().empty())
        text += fmt::format(", {}", shown(origin.protocol_name()));
    if (!origin.helo_name().empty())
        text += fmt::format(", helo {}", shown(origin.helo_name()));
    if (!origin.sasl_username().empty())
        text += fmt::format(", SASL user {} ({})", shown(origin.sasl_username()), shown(origin.sasl_method()));
    return text;
}

std::string recipient_text(const ExplainReply::Recipient& recipient, const ExplainReply& message)
{
    std::string text = fmt::format("  recipient   {}{}\n", shown(recipient.recipient().address()),
                                   recipient.done() ? "  done: delivered or returned" : "");
    if (const std::string& original = recipient.recipient().original();
        !original.empty() && !text::iequals(original, recipient.recipient().address()))
        text += fmt::format("                written as {}\n", shown(original));
    if (recipient.done())
        return text;
    if (!recipient.last().reason().empty())
        text += fmt::format("                last attempt: {} {}{}\n", shown(recipient.last().status()),
                            shown(recipient.last().reason()),
                            recipient.relay().empty() || recipient.relay() == "none"
                                ? ""
                                : fmt::format(" (relay {})", shown(recipient.relay())));
    else if (!message.entry().reason().empty())
        text += fmt::format("                last attempt: {}\n", shown(message.entry().reason()));
    if (!recipient.transport().empty())
        text +=
            fmt::format("                goes by {} to {}\n", shown(recipient.transport()), shown(recipient.nexthop()));
    return text;
}

std::string destination_text(const ExplainDestination& destination, std::int64_t now)
{
    std::string text = fmt::format("  destination {}:{}\n", shown(destination.transport()), shown(destination.name()));
    const auto line = [&text](std::string_view what) { text += fmt::format("                {}\n", what); };
    if (destination.transport_dead())
        line(fmt::format("transport {} does not work until {}: {}", shown(destination.transport()),
                         moment_text(destination.transport_dead_until_seconds(), now),
                         shown(destination.transport_reason())));
    if (destination.dead())
        line(fmt::format("taken for dead until {}: {}", moment_text(destination.dead_until_seconds(), now),
                         shown(destination.dead_reason())));
    if (!destination.in_use()) {
        line("no mail is on its way there, nothing is held against it");
        return text;
    }
    const std::string limit =
        destination.window_limit() == 0 ? "no limit" : fmt::format("at most {}", destination.window_limit());
    line(fmt::format("{} of {} deliveries at once ({}), {} in line", destination.in_flight(), destination.window(),
                     limit, destination.waiting()));
    line(fmt::format("transport {}: {} of {} deliveries at once", shown(destination.transport()),
                     destination.transport_in_flight(), destination.transport_limit()));
    return text;
}

int waiting_recipients(const ExplainReply& message)
{
    return static_cast<int>(
        std::ranges::count_if(message.recipients(), [](const auto& recipient) { return !recipient.done(); }));
}

std::string json_recipient(const ExplainReply::Recipient& recipient)
{
    std::string out = fmt::format(R"({{"address": {}, "done": {})", json_string(recipient.recipient().address()),
                                  recipient.done() ? "true" : "false");
    if (!recipient.recipient().original().empty())
        out += fmt::format(R"(, "original": {})", json_string(recipient.recipient().original()));
    if (!recipient.last().reason().empty())
        out += fmt::format(R"(, "status": {}, "delay_reason": {}, "relay": {})", json_string(recipient.last().status()),
                           json_string(recipient.last().reason()), json_string(recipient.relay()));
    if (!recipient.transport().empty())
        out += fmt::format(R"(, "transport": {}, "nexthop": {})", json_string(recipient.transport()),
                           json_string(recipient.nexthop()));
    return out + "}";
}

std::string json_destination(const ExplainDestination& destination)
{
    std::string out = fmt::format(R"({{"transport": {}, "destination": {}, "in_use": {}, "dead": {})",
                                  json_string(destination.transport()), json_string(destination.name()),
                                  destination.in_use() ? "true" : "false", destination.dead() ? "true" : "false");
    if (destination.dead())
        out += fmt::format(R"(, "dead_until": {}, "dead_reason": {})", destination.dead_until_seconds(),
                           json_string(destination.dead_reason()));
    if (destination.transport_dead())
        out += fmt::format(R"(, "transport_dead_until": {}, "transport_reason": {})",
                           destination.transport_dead_until_seconds(), json_string(destination.transport_reason()));
    if (destination.in_use())
        out += fmt::format(
            R"(, "window": {}, "window_limit": {}, "in_flight": {}, "waiting": {}, "transport_in_flight": {}, "transport_limit": {})",
            destination.window(), destination.window_limit(), destination.in_flight(), destination.waiting(),
            destination.transport_in_flight(), destination.transport_limit());
    return out + "}";
}

template <typename Items, typename Each>
std::string json_list(const Items& items, const Each& each)
{
    std::string out = "[";
    for (const auto& item : items)
        out += (out.size() > 1 ? ", " : "") + each(item);
    return out + "]";
}

} // namespace

std::int64_t given_up_at(const ExplainReply& message, const Lifetimes& lifetimes)
{
    return message.entry().arrival_seconds() +
           (message.envelope().sender().empty() ? lifetimes.bounce_seconds : lifetimes.queue_seconds);
}

std::string why_it_waits(const ExplainReply& message, const Lifetimes& lifetimes, std::int64_t now)
{
    const std::string& queue = message.entry().queue();
    if (message.damaged() || queue == "corrupt")
        return "it is damaged: the file is kept for inspection and will not be delivered";
    if (queue == "hold")
        return "it is on hold until the administrator releases it (postsuper -H)";
    if (queue == "maildrop")
        return "it has not been picked up yet";
    if (message.source() == ExplainReply::FILES)
        return "the queue manager does not answer: nothing is delivered now";
    if (queue == "incoming")
        return "it has arrived and waits for room in the active queue";
    if (queue == "active")
        return fmt::format("it is being delivered: {} group{} of recipients at delivery agents or in line for one",
                           message.open_groups(), message.open_groups() == 1 ? "" : "s");
    if (message.entry().forced_expire())
        return "it was made to expire (postsuper -e): at the next try it is returned to its sender";
    if (given_up_at(message, lifetimes) <= now)
        return "it is too old: at the next try it is returned to its sender, unless that try succeeds";
    if (message.entry().next_try_seconds() <= now)
        return "it is due: it waits for room in the active queue";
    if (const auto* const dead = dead_destination(message))
        return fmt::format("the last attempt failed, and {} {} is taken for dead",
                           dead->dead() ? "destination" : "transport",
                           shown(dead->dead() ? dead->name() : dead->transport()));
    return "the last attempt failed for now; it is tried again when its time comes";
}

std::string explain_text(const ExplainReply& message, const Lifetimes& lifetimes, std::int64_t now)
{
    const ipc::ListEntry& entry = message.entry();
    std::string out =
        fmt::format("Message {} is in the {} queue: {} bytes, {} of {} recipients wait.\n", entry.queue_id(),
                    entry.queue(), entry.size(), waiting_recipients(message), message.recipients_size());
    const auto line = [&out](std::string_view name, std::string_view value) {
        out += fmt::format("  {:<11} {}\n", name, value);
    };
    line("arrived", moment_text(entry.arrival_seconds(), now));
    const bool has_envelope = message.recipients_size() > 0;
    if (has_envelope) {
        line("from", origin_text(message.envelope()));
        line("sender", shown(entry.sender()));
        if (!message.envelope().message_id().empty())
            line("message-id", shown(message.envelope().message_id()));
    }
    for (const auto& recipient : message.recipients())
        out += recipient_text(recipient, message);
    for (const auto& destination : message.destinations())
        out += destination_text(destination, now);
    if (message.active_since_seconds() > 0)
        line("active", fmt::format("since {}", moment_text(message.active_since_seconds(), now)));
    line("waits", why_it_waits(message, lifetimes, now));
    if (entry.next_try_seconds() > 0)
        line("next try", entry.next_try_seconds() <= now ? "now" : moment_text(entry.next_try_seconds(), now));
    if (has_envelope && entry.queue() != "hold" && entry.queue() != "corrupt")
        line("given up", moment_text(given_up_at(message, lifetimes), now));
    if (message.delay_warned())
        line("notice", "its sender was told of the delay");
    if (message.source() == ExplainReply::FILES)
        line("source", "the files alone: the state of destinations is not known");
    return out;
}

std::string explain_json(const ExplainReply& message, const Lifetimes& lifetimes, std::int64_t now)
{
    const ipc::ListEntry& entry = message.entry();
    const queue::Origin& origin = message.envelope().origin();
    std::string out = fmt::format(
        R"({{"queue_id": {}, "queue_name": {}, "source": "{}", "arrival_time": {}, "message_size": {}, "sender": {})",
        json_string(entry.queue_id()), json_string(entry.queue()),
        message.source() == ExplainReply::FILES ? "files" : "queue_manager", entry.arrival_seconds(), entry.size(),
        json_string(entry.sender()));
    out += fmt::format(
        R"(, "message_id": {}, "client_name": {}, "client_address": {}, "protocol": {}, "helo": {}, "sasl_method": {}, "sasl_username": {})",
        json_string(message.envelope().message_id()), json_string(origin.client_name()),
        json_string(origin.client_address()), json_string(origin.protocol_name()), json_string(origin.helo_name()),
        json_string(origin.sasl_method()), json_string(origin.sasl_username()));
    out += fmt::format(
        R"(, "forced_expire": {}, "delay_warned": {}, "damaged": {}, "active_since": {}, "next_try": {}, "given_up": {}, "waits": {})",
        entry.forced_expire() ? "true" : "false", message.delay_warned() ? "true" : "false",
        message.damaged() ? "true" : "false", message.active_since_seconds(), entry.next_try_seconds(),
        given_up_at(message, lifetimes), json_string(why_it_waits(message, lifetimes, now)));
    return fmt::format("{}, \"recipients\": {}, \"destinations\": {}}}\n", out,
                       json_list(message.recipients(), json_recipient),
                       json_list(message.destinations(), json_destination));
}

} // namespace facteur::postqueue
