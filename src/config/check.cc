#include "config/check.h"

#include "base/text.h"
#include "config/cidr.h"
#include "config/master_cf.h"
#include "config/suffixes.h"
#include "config/values.h"

#include <fmt/format.h>

#include <array>

namespace facteur::config {

namespace {

class Checker {
public:
    explicit Checker(const Config& config) : config_(config) {}

    std::vector<Problem> run()
    {
        problems_ = config_.warnings();
        check_host_name();
        check_networks();
        check_relay_restrictions();
        check_services();
        return std::move(problems_);
    }

private:
    // Blames the line of main.cf that sets the parameter, if one does.
    void blame(std::string_view parameter, std::string text)
    {
        const int line = config_.line_of(parameter);
        problems_.push_back({line > 0 ? config_.directory() + "/main.cf" : "", line, std::move(text)});
    }

    void check_host_name();
    void check_networks();
    void check_relay_restrictions();
    void check_services();
    void check_transport(const StringParameter& parameter, const std::vector<MasterEntry>& entries);
    void check_overrides(const MasterEntry& entry);

    const Config& config_;
    std::vector<Problem> problems_;
};

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

void Checker::check_host_name()
{
    for (const auto* parameter : {&params::myhostname, &params::mydomain})
        if (const auto& value = config_.get(*parameter); !valid_host_name(value))
            blame(parameter->name, fmt::format("parameter {}: bad parameter value: {}", parameter->name, value));
}

void Checker::check_networks()
{
    for (auto word : text::split_list(config_.get(params::mynetworks))) {
        if (word.starts_with('!') || word.starts_with('/') || word == "static:all")
            continue;
        const auto network = Network::parse(word);
        if (network && network->prefix == 0)
            blame("mynetworks",
                  fmt::format("open relay: mynetworks contains {}, so that every client may relay", word));
        else if (!network && word.find_first_not_of("0123456789abcdefABCDEF.:/[]") == word.npos)
            blame("mynetworks", fmt::format("parameter mynetworks: {}", network.error()));
    }
}

// Mail to anywhere must meet a restriction that asks whose mail it is.
void Checker::check_relay_restrictions()
{
    constexpr auto kGuards =
        std::to_array<std::string_view>({"reject_unauth_destination", "defer_unauth_destination", "reject", "defer",
                                         "defer_if_permit", "check_relay_domains"});
    for (const auto* parameter : {&params::smtpd_relay_restrictions, &params::smtpd_recipient_restrictions})
        for (const auto word : text::split_list(config_.get(*parameter)))
            if (std::ranges::find(kGuards, word) != kGuards.end())
                return;
    blame(
        params::smtpd_relay_restrictions.name,
        "open relay: neither smtpd_relay_restrictions nor smtpd_recipient_restrictions has reject_unauth_destination, "
        "defer_unauth_destination, reject, defer or defer_if_permit");
}

void Checker::check_transport(const StringParameter& parameter, const std::vector<MasterEntry>& entries)
{
    const auto& value = config_.get(parameter);
    const auto service = value.substr(0, value.find(':'));
    if (service.empty())
        return;
    const auto is_it = [&](const MasterEntry& entry) {
        return entry.name == service && entry.type != SocketType::inet;
    };
    if (std::ranges::none_of(entries, is_it))
        blame(parameter.name, fmt::format("{} = {}: master.cf has no service {}/unix", parameter.name, value, service));
}

void Checker::check_overrides(const MasterEntry& entry)
{
    const auto file = config_.directory() + "/master.cf";
    for (const auto& [name, value] : entry.overrides())
        if (find_parameter(name) == nullptr && find_suffix(name) == nullptr)
            if (const auto near = nearest_name(name); !near.empty())
                problems_.push_back({file, entry.line,
                                     fmt::format("service {}: unknown parameter: {}={} (is it {}?)",
                                                 entry.service_key(), name, value, near)});
    if (const auto with = config_.with(entry.overrides()); !with)
        problems_.push_back({file, entry.line, fmt::format("service {}: {}", entry.service_key(), with.error().text)});
}

void Checker::check_services()
{
    const auto entries = load_master_cf(config_);
    if (!entries) {
        problems_.push_back(entries.error());
        return;
    }
    for (const auto* parameter : {&params::local_transport, &params::virtual_transport, &params::relay_transport,
                                  &params::default_transport, &params::mailbox_transport, &params::fallback_transport})
        check_transport(*parameter, *entries);
    for (const auto& entry : *entries)
        check_overrides(entry);
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
    return Checker(config).run();
}

} // namespace facteur::config
