#include "daemons/master/plan.h"

#include "base/text.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <set>
#include <thread>

namespace facteur::master {

namespace {

using config::SocketType;

// Programs that keep one state for all their clients.
constexpr std::array<std::string_view, 16> kAlone{"qmgr",     "oqmgr",  "nqmgr",      "pickup",  "tlsmgr", "anvil",
                                                  "postlogd", "scache", "flush",      "verify",  "bounce", "defer",
                                                  "trace",    "showq",  "postscreen", "tlsproxy"};
constexpr int kMaxSocketsOfAService = 200; // descriptor numbers of a worker, and those above

int limit_of(const config::MasterEntry& entry, const config::Config& config)
{
    return entry.process_limit >= 0 ? entry.process_limit
                                    : static_cast<int>(config.get(config::params::default_process_limit));
}

long wanted_workers(const config::MasterEntry& entry, const config::Config& config)
{
    const auto overrides = entry.overrides();
    if (const auto found = overrides.find(config::params::service_workers.name); found != overrides.end())
        if (const auto number = text::to_long(found->second); number && *number >= 0)
            return *number;
    return config.get(config::params::service_workers);
}

std::expected<ServicePlan, std::string> plan_service(config::MasterEntry entry, const config::Config& config)
{
    ServicePlan plan;
    auto endpoints = endpoints_of(entry, config);
    if (!endpoints)
        return std::unexpected(endpoints.error());
    if (endpoints->size() > kMaxSocketsOfAService)
        return std::unexpected(fmt::format("service {} would listen on {} addresses", entry.name, endpoints->size()));
    plan.endpoints = std::move(*endpoints);
    plan.listen_name = listen_name(entry, config);
    plan.program_path = config.get(config::params::daemon_directory) + "/" + entry.program;
    plan.process_limit = limit_of(entry, config);
    plan.workers =
        worker_count(entry, plan.process_limit, wanted_workers(entry, config), std::thread::hardware_concurrency());
    plan.adapts_to_stress = entry.type == SocketType::inet && !entry.is_private;
    plan.must_run = (entry.wakeup_seconds > 0 && !entry.wakeup_if_used) ||
                    (entry.program == "postlogd" && !config.get(config::params::maillog_file).empty());
    plan.throttle_time = config.get(config::params::service_throttle_time);
    plan.entry = std::move(entry);
    return plan;
}

} // namespace

int worker_count(const config::MasterEntry& entry, int process_limit, long service_workers, unsigned cores)
{
    if (std::ranges::find(kAlone, entry.program) != kAlone.end() || entry.name == "proxywrite")
        return 1;
    long count = service_workers > 0 ? service_workers : std::max(1U, cores);
    if (entry.program == "cleanup" && service_workers == 0)
        count = std::min(count, 2L);
    if (process_limit > 0)
        count = std::min<long>(count, process_limit);
    return static_cast<int>(count);
}

bool is_disabled(const config::MasterEntry& entry, std::string_view list)
{
    const std::string type(config::to_string(entry.type));
    for (std::string_view element : text::split_list(list)) {
        const bool negated = element.starts_with('!');
        if (negated)
            element.remove_prefix(1);
        if (element == type || element == entry.name + "/" + type || element == entry.name + "." + type)
            return !negated;
    }
    return false;
}

std::expected<Plan, std::string> make_plan(const config::Config& config)
{
    const auto entries = config::load_master_cf(config);
    if (!entries)
        return std::unexpected(entries.error().message());
    const std::string file = config.directory() + "/master.cf";
    const std::string& disabled = config.get(config::params::master_service_disable);
    Plan plan;
    std::set<std::string> keys;
    for (const config::MasterEntry& entry : *entries) {
        const auto blame = [&](const std::string& text) {
            return fmt::format("{}: line {}: {}", file, entry.line, text);
        };
        if (is_disabled(entry, disabled))
            continue;
        if (!keys.insert(entry.service_key()).second)
            return std::unexpected(blame("duplicate service: " + entry.service_key()));
        const std::string path = config.get(config::params::daemon_directory) + "/" + entry.program;
        if (::access(path.c_str(), X_OK) != 0) {
            plan.missing.push_back(blame(
                fmt::format("service {}: no program {}: the service is not available", entry.service_key(), path)));
            continue;
        }
        auto service = plan_service(entry, config);
        if (!service)
            return std::unexpected(blame(service.error()));
        plan.services.push_back(std::move(*service));
    }
    return plan;
}

std::optional<std::string> find_unusable_service(const Plan& plan, const config::Config& config)
{
    for (const ServicePlan& service : plan.services)
        if (const auto with = config.with(service.entry.overrides()); !with)
            return fmt::format("{}/master.cf, line {}: service {}: {}", config.directory(), service.entry.line,
                               service.entry.service_key(), with.error().text);
    return std::nullopt;
}

std::vector<std::string> command_line(const ServicePlan& plan, const LaunchOptions& options)
{
    const config::MasterEntry& entry = plan.entry;
    std::vector<std::string> out{entry.program};
    if (plan.process_limit == 1)
        out.emplace_back("-l");
    if (plan.process_limit == 0)
        out.emplace_back("-z");
    if (entry.name != entry.program)
        out.insert(out.end(), {"-n", entry.name});
    // A fifo is a socket here: programs see no difference.
    out.insert(out.end(), {"-t", std::string(config::to_string(entry.type == SocketType::fifo ? SocketType::unix_stream
                                                                                              : entry.type))});
    if (entry.unprivileged)
        out.emplace_back("-u");
    if (entry.chroot)
        out.emplace_back("-c");
    if (plan.adapts_to_stress)
        out.insert(out.end(), {"-o", options.stress ? "stress=yes" : "stress="});
    if (plan.endpoints.size() > 1)
        out.insert(out.end(), {"-s", std::to_string(plan.endpoints.size())});
    if (options.debugger)
        out.emplace_back("-D");
    out.insert(out.end(), static_cast<std::size_t>(options.verbosity), "-v");
    out.insert(out.end(), entry.args.begin(), entry.args.end());
    return out;
}

} // namespace facteur::master
