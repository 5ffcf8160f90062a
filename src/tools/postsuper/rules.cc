#include "tools/postsuper/rules.h"

#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "queue/standing_rules.h"

#include <cstdio>
#include <ctime>

namespace facteur::postsuper {

namespace {

using queue::StandingRule;
using queue::StandingRules;

std::string time_text(std::int64_t seconds)
{
    const std::time_t time = seconds;
    std::tm parts{};
    ::localtime_r(&time, &parts);
    char text[40];
    return {text, std::strftime(text, sizeof text, "%a %b %e %H:%M:%S %Y", &parts)};
}

void list(const StandingRules& rules, bool json, std::int64_t now)
{
    for (const auto& rule : rules.rules()) {
        if (rule.expires_seconds <= now)
            continue;
        if (json)
            fmt::print("{{\"rule\": {}, \"action\": {}, \"created\": {}, \"expires\": {}, \"where\": {}}}\n",
                       rule.number, json_string(action_name(rule.action)), rule.created_seconds, rule.expires_seconds,
                       json_string(rule.where.text()));
        else
            fmt::print("{:<4} {:<6} until {}  {}\n", rule.number, action_name(rule.action),
                       time_text(rule.expires_seconds), rule.where.text());
    }
}

std::optional<RuleFailure> add(StandingRules& rules, const RuleOptions& options, std::int64_t now)
{
    const auto action = queue::parse_action(*options.action);
    if (!action)
        return RuleFailure{fmt::format("--action {}: it is hold, delete or expire", *options.action), ""};
    const auto duration = queue::parse_duration(*options.duration);
    if (!duration || *duration == 0)
        return RuleFailure{fmt::format("--for {}: expected a time such as 30m, 2h or 1d", *options.duration), ""};
    auto where = queue::Selection::parse(*options.add);
    if (!where)
        return RuleFailure{"--rule-add: not understood", where.error().show(*options.add)};
    if (const auto unfit = unfit_for_rules(*where))
        return RuleFailure{"--rule-add: not for a rule", unfit->show(*options.add)};
    const auto number = rules.add(*action, *where, now + *duration, now);
    if (!number)
        return RuleFailure{number.error().message(), ""};
    log::info("rule {}: {} until {}: {}", *number, action_name(*action), time_text(now + *duration), where->text());
    return std::nullopt;
}

std::optional<RuleFailure> remove(StandingRules& rules, const std::string& text, std::int64_t now)
{
    const auto number = text::to_long(text);
    const auto removed = number && *number > 0 ? rules.remove(static_cast<unsigned>(*number), now)
                                               : std::expected<bool, SystemError>(false);
    if (!removed)
        return RuleFailure{removed.error().message(), ""};
    if (!*removed)
        return RuleFailure{fmt::format("no rule {}", text), ""};
    log::info("rule {}: removed", *number);
    return std::nullopt;
}

} // namespace

std::optional<RuleFailure> manage_rules(const Options& options, const std::string& data_directory)
{
    const std::int64_t now = std::time(nullptr);
    auto rules = StandingRules::open(data_directory);
    if (!rules)
        return RuleFailure{rules.error().message(), ""};
    if (options.rules.add)
        return add(*rules, options.rules, now);
    if (options.rules.remove)
        return remove(*rules, *options.rules.remove, now);
    if (const auto done = rules->refresh(); !done)
        return RuleFailure{done.error().message(), ""};
    list(*rules, options.json, now);
    return std::nullopt;
}

} // namespace facteur::postsuper
