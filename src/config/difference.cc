#include "config/difference.h"

#include "base/text.h"
#include "config/suffixes.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <ranges>
#include <set>

namespace facteur::config {

namespace {

// A person reads this on one line of a terminal or a log.
std::string shown(std::string_view value)
{
    constexpr std::size_t kLimit = 200;
    if (value.size() <= kLimit)
        return text::printable(value, text::Utf8::allow);
    auto end = kLimit;
    while (end > 0 && (static_cast<unsigned char>(value[end]) & 0xc0) == 0x80)
        --end;
    return text::printable(value.substr(0, end), text::Utf8::allow) + "...";
}

bool differs_by_process(std::string_view name)
{
    return name == params::process_id.name || name == params::process_name.name;
}

std::string yes_no(bool value)
{
    return value ? "y" : "n";
}
std::string wakeup(const MasterEntry& entry)
{
    return fmt::format("{}{}", entry.wakeup_seconds, entry.wakeup_if_used ? "?" : "");
}
std::string process_limit(const MasterEntry& entry)
{
    return entry.process_limit < 0 ? std::string("-") : fmt::to_string(entry.process_limit);
}
std::string command(const MasterEntry& entry)
{
    return entry.args.empty() ? entry.program : fmt::format("{} {}", entry.program, fmt::join(entry.args, " "));
}

std::string column_changes(const MasterEntry& before, const MasterEntry& after)
{
    std::vector<std::string> out;
    const auto compare = [&out](std::string_view column, const std::string& a, const std::string& b) {
        if (a != b)
            out.push_back(fmt::format("{}: {} -> {}", column, shown(a), shown(b)));
    };
    compare("private", yes_no(before.is_private), yes_no(after.is_private));
    compare("unpriv", yes_no(before.unprivileged), yes_no(after.unprivileged));
    compare("chroot", yes_no(before.chroot), yes_no(after.chroot));
    compare("wakeup", wakeup(before), wakeup(after));
    compare("maxproc", process_limit(before), process_limit(after));
    compare("command", command(before), command(after));
    return fmt::format("{}", fmt::join(out, ", "));
}

const MasterEntry* find_service(std::span<const MasterEntry> entries, const MasterEntry& like)
{
    const auto found = std::ranges::find_if(
        entries, [&](const MasterEntry& each) { return each.name == like.name && each.type == like.type; });
    return found == entries.end() ? nullptr : &*found;
}

std::string describe(const ParameterChange& change, std::span<const MasterEntry> services)
{
    const auto readers = readers_of(change.name, services);
    return fmt::format("parameter {}: \"{}\" -> \"{}\"{}; {}", change.name, shown(change.before), shown(change.after),
                       change.indirect ? " (through a parameter it refers to)" : "",
                       readers.empty() ? "no service here reads it"
                                       : fmt::format("taken by {}", fmt::join(readers, " ")));
}

std::string describe(const ServiceChange& change)
{
    switch (change.kind) {
    case ServiceChange::Kind::added:
        return fmt::format("service {}: added", change.service);
    case ServiceChange::Kind::removed:
        return fmt::format("service {}: removed", change.service);
    case ServiceChange::Kind::changed:
        break;
    }
    return fmt::format("service {}: {}", change.service, change.what);
}

} // namespace

std::vector<ParameterChange> parameter_changes(const Config& before, const Config& after)
{
    std::set<std::string, std::less<>> names;
    for (const auto* parameter : all_parameters())
        if (parameter->status != Status::obsolete && !differs_by_process(parameter->name))
            names.emplace(parameter->name);
    for (const Config* each : {&before, &after})
        for (auto& name : each->explicit_names())
            names.insert(std::move(name));
    std::vector<ParameterChange> out;
    for (const auto& name : names) {
        auto a = before.value(name);
        auto b = after.value(name);
        if (a == b)
            continue;
        const bool indirect = before.explicit_text(name) == after.explicit_text(name);
        out.push_back({name, std::move(a).value_or(""), std::move(b).value_or(""), indirect});
    }
    return out;
}

std::vector<ServiceChange> service_changes(std::span<const MasterEntry> before, std::span<const MasterEntry> after)
{
    using Kind = ServiceChange::Kind;
    std::vector<ServiceChange> out;
    for (const auto& entry : after) {
        const auto* const old = find_service(before, entry);
        if (old == nullptr)
            out.push_back({Kind::added, entry.service_key(), {}});
        else if (auto what = column_changes(*old, entry); !what.empty())
            out.push_back({Kind::changed, entry.service_key(), std::move(what)});
    }
    for (const auto& entry : before)
        if (find_service(after, entry) == nullptr)
            out.push_back({Kind::removed, entry.service_key(), {}});
    return out;
}

std::vector<std::string> readers_of(std::string_view parameter, std::span<const MasterEntry> services)
{
    const auto* known = find_parameter(parameter);
    if (known == nullptr)
        if (const auto* suffix = find_suffix(parameter))
            known = suffix->fallback;
    if (known == nullptr)
        return {"whoever refers to it"};
    const auto programs = text::split(known->read_by, " ");
    if (std::ranges::find(programs, "all") != programs.end())
        return {"all services"};
    std::vector<std::string> out;
    if (std::ranges::find(programs, "master") != programs.end())
        out.emplace_back("master");
    for (const auto& entry : services)
        if (std::ranges::find(programs, entry.program) != programs.end())
            out.push_back(entry.service_key());
    return out;
}

std::vector<std::string> describe_changes(const Config& before, std::span<const MasterEntry> services_before,
                                          const Config& after, std::span<const MasterEntry> services_after,
                                          std::size_t limit)
{
    std::vector<std::string> out;
    const auto parameters = parameter_changes(before, after);
    for (const auto& change : parameters | std::views::take(limit))
        out.push_back(describe(change, services_after));
    if (parameters.size() > limit)
        out.push_back(fmt::format("{} more parameters changed", parameters.size() - limit));
    const auto services = service_changes(services_before, services_after);
    for (const auto& change : services | std::views::take(limit))
        out.push_back(describe(change));
    if (services.size() > limit)
        out.push_back(fmt::format("{} more services changed", services.size() - limit));
    return out;
}

} // namespace facteur::config
