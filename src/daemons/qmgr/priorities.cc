#include "daemons/qmgr/priorities.h"

#include "base/log.h"
#include "base/text.h"

namespace facteur::qmgr {

namespace params = config::params;

namespace {

constexpr int kDay = 24 * 60; // minutes

std::optional<int> parse_minutes(std::string_view text)
{
    const auto colon = text.find(':');
    if (colon == text.npos)
        return std::nullopt;
    const auto hours = text::to_long(text.substr(0, colon));
    const auto minutes = text::to_long(text.substr(colon + 1));
    if (!hours || !minutes || *hours < 0 || *hours > 24 || *minutes < 0 || *minutes > 59 ||
        *hours * 60 + *minutes > kDay)
        return std::nullopt;
    return static_cast<int>(*hours * 60 + *minutes);
}

table::Maps open_maps(const config::Config& config, const config::StringParameter& parameter)
{
    return table::Maps(std::string(parameter.name), config.get(parameter), {}, config);
}

} // namespace

std::int64_t TimeWindow::closed_for(std::time_t now) const
{
    std::tm local{};
    ::localtime_r(&now, &local);
    const int minute = local.tm_hour * 60 + local.tm_min;
    const bool open = from == to || (from < to ? minute >= from && minute < to : minute >= from || minute < to);
    if (open)
        return 0;
    const int wait = (from - minute + kDay) % kDay;
    return std::int64_t{wait} * 60 - local.tm_sec;
}

std::expected<Treatment, std::string> parse_treatment(std::string_view text)
{
    Treatment treatment;
    const auto words = text::split_list(text);
    if (words.empty() || words.size() > 2)
        return std::unexpected("expected a class and at most one time window");
    if (text::iequals(words[0], "high"))
        treatment.priority = Priority::high;
    else if (text::iequals(words[0], "bulk"))
        treatment.priority = Priority::bulk;
    else if (!text::iequals(words[0], "normal"))
        return std::unexpected("expected high, normal or bulk");
    if (words.size() == 1)
        return treatment;
    const auto dash = words[1].find('-');
    const auto from = parse_minutes(words[1].substr(0, dash));
    const auto to = dash == std::string_view::npos ? std::nullopt : parse_minutes(words[1].substr(dash + 1));
    if (!from || !to)
        return std::unexpected("expected a time window such as 22:00-06:00");
    treatment.window = TimeWindow{*from % kDay, *to % kDay};
    return treatment;
}

Priorities::Priorities(const config::Config& config)
    : recipient_(open_maps(config, params::queue_priority_recipient_maps)),
      sender_(open_maps(config, params::queue_priority_sender_maps)),
      transport_(open_maps(config, params::queue_priority_transport_maps)),
      recipient_delimiter_(config.get(params::recipient_delimiter)),
      null_sender_key_(config.get(params::smtpd_null_access_lookup_key))
{
}

std::optional<Treatment> Priorities::understand(std::string_view key, std::string_view answer)
{
    auto treatment = parse_treatment(answer);
    if (treatment)
        return *treatment;
    log::warning("mail priority \"{}\" of {}: {}", text::printable(answer), text::printable(key), treatment.error());
    return std::nullopt;
}

std::optional<Treatment> Priorities::ask(table::Maps& maps, std::string_view key)
{
    const auto found = maps.find(key);
    if (!found) {
        log::warning("mail priority of {}: table lookup problem", text::printable(key));
        return std::nullopt;
    }
    return *found ? understand(key, **found) : std::nullopt;
}

// user+ext@domain, user@domain, domain and its parents, user@: as access(5) searches an address.
std::optional<Treatment> Priorities::ask_address(table::Maps& maps, std::string_view address)
{
    if (maps.empty())
        return std::nullopt;
    if (address.empty())
        return ask(maps, null_sender_key_);
    const auto at = address.rfind('@');
    const auto user = address.substr(0, at);
    const auto domain = at == address.npos ? std::string_view() : address.substr(at + 1);
    const auto plain =
        recipient_delimiter_.empty() ? user : user.substr(0, user.find_first_of(recipient_delimiter_, 1));
    if (auto whole = ask(maps, address))
        return whole;
    if (plain.size() != user.size())
        if (auto without = ask(maps, std::string(plain) + "@" + std::string(domain)))
            return without;
    if (!domain.empty()) {
        const auto found = maps.find_domain(domain, table::Maps::Parents::plain);
        if (!found)
            log::warning("mail priority of {}: table lookup problem", text::printable(domain));
        else if (*found)
            return understand(domain, **found);
    }
    return ask(maps, std::string(plain) + "@");
}

Treatment Priorities::treatment(std::string_view sender, std::string_view header,
                                std::span<const std::string_view> recipients,
                                std::span<const std::string_view> transports)
{
    std::optional<Treatment> best;
    const auto take = [&best](const std::optional<Treatment>& each) {
        if (each && (!best || each->priority < best->priority))
            best = each;
    };
    for (const auto recipient : recipients)
        take(ask_address(recipient_, recipient));
    if (!best)
        take(ask_address(sender_, sender));
    if (!best && !header.empty())
        take(understand("a header", header));
    if (!best && !transport_.empty())
        for (const auto transport : transports)
            take(ask(transport_, transport));
    return best.value_or(Treatment{});
}

} // namespace facteur::qmgr
