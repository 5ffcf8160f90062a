#include "config/check.h"

#include "base/text.h"
#include "config/check_parts.h"
#include "config/suffixes.h"

#include <fmt/format.h>

namespace facteur::config {

void Findings::add(Problem problem)
{
    if (said_.insert(problem.message()).second)
        problems_.push_back(std::move(problem));
}

void Findings::blame(std::string_view parameter, std::string text)
{
    const int line = config_.line_of(parameter);
    add({line > 0 ? config_.directory() + "/main.cf" : "", line, std::move(text)});
}

void Findings::blame(const MasterEntry& entry, std::string_view text)
{
    add({config_.directory() + "/master.cf", entry.line, fmt::format("service {}: {}", entry.service_key(), text)});
}

namespace {

// RFC 1123 s2.1 as Postfix reads it: labels of letters, digits, '-' and '_', none beginning or ending with '-'.
bool valid_host_name(std::string_view name)
{
    if (name.empty() || name.size() > 255 || name.find_first_not_of("0123456789.") == name.npos)
        return false;
    for (std::size_t start = 0; start <= name.size();) {
        const auto end = std::min(name.find('.', start), name.size());
        const auto label = name.substr(start, end - start);
        if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-')
            return false;
        for (const char c : label)
            if (!text::is_alnum(c) && c != '-' && c != '_' && text::is_ascii(c))
                return false;
        start = end + 1;
    }
    return true;
}

void check_host_name(Findings& findings)
{
    for (const auto* parameter : {&params::myhostname, &params::mydomain})
        if (const auto& value = findings.config().get(*parameter); !valid_host_name(value))
            findings.blame(parameter->name,
                           fmt::format("parameter {}: bad parameter value: {}", parameter->name, value));
}

void check_overrides(Findings& findings, const MasterEntry& entry)
{
    for (const auto& [name, value] : entry.overrides())
        if (find_parameter(name) == nullptr && find_suffix(name) == nullptr)
            if (const auto near = nearest_name(name); !near.empty())
                findings.blame(entry, fmt::format("unknown parameter: {}={} (is it {}?)", name, value, near));
    if (const auto with = findings.config().with(entry.overrides()); !with)
        findings.blame(entry, with.error().text);
}

bool lies_below(std::string_view path, std::string_view prefix)
{
    while (prefix.size() > 1 && prefix.ends_with('/'))
        prefix.remove_suffix(1);
    return path == prefix ||
           (path.starts_with(prefix) && (prefix == "/" || path.substr(prefix.size()).starts_with('/')));
}

} // namespace

std::optional<Problem> check_log_file(const Config& config)
{
    const auto& path = config.get(params::maillog_file);
    const auto prefixes = text::split_list(config.get(params::maillog_file_prefixes));
    if (path.empty() || std::ranges::any_of(prefixes, [&](auto prefix) { return lies_below(path, prefix); }))
        return std::nullopt;
    const int line = config.line_of(params::maillog_file.name);
    return Problem{line > 0 ? config.directory() + "/main.cf" : "", line,
                   fmt::format("maillog_file value '{}' does not match any prefix in maillog_file_prefixes ({})", path,
                               config.get(params::maillog_file_prefixes))};
}

std::vector<Problem> check(const Config& config)
{
    Findings findings(config);
    for (const auto& problem : config.warnings())
        findings.add(problem);
    check_host_name(findings);
    check_expansions(findings);
    check_networks(findings);
    const auto entries = load_master_cf(config);
    if (!entries) {
        findings.add(entries.error());
        return findings.take();
    }
    for (const auto& entry : *entries)
        check_overrides(findings, entry);
    check_restrictions(findings, *entries);
    check_transports(findings, *entries);
    if (auto open = find_open_relay(config))
        findings.add(std::move(*open));
    return findings.take();
}

} // namespace facteur::config
