#include "tools/postmulti/iterate.h"

#include "base/log.h"
#include "base/text.h"
#include "tools/postmulti/process.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

namespace facteur::postmulti {

namespace {

void list(const Instance& instance)
{
    const auto shown = [](const std::string& text) { return text.empty() ? "-" : text; };
    fmt::print("{:<15} {:<15} {:<9} {}\n", shown(instance.name), shown(instance.group), instance.enabled ? "y" : "n",
               instance.config_directory);
}

// What a postfix(1) command means for instances that are not enabled, and in which order instances take it.
enum class CommandKind { other, start, stop, control };

CommandKind kind_of(const config::Config& primary, const std::string& command)
{
    const auto lists = [&](const config::StringParameter& parameter) {
        const auto names = text::split_list(primary.get(parameter));
        return std::ranges::find(names, command) != names.end();
    };
    if (lists(config::params::postmulti_start_commands))
        return CommandKind::start;
    if (lists(config::params::postmulti_stop_commands))
        return CommandKind::stop;
    return lists(config::params::postmulti_control_commands) ? CommandKind::control : CommandKind::other;
}

std::vector<std::string> postfix_command(const Options& options, CommandKind kind, const Instance& instance)
{
    std::vector<std::string> out{"postfix"};
    out.insert(out.end(), static_cast<std::size_t>(options.verbosity), "-v");
    if (kind == CommandKind::start && !instance.enabled)
        out.emplace_back("check");
    else
        out.insert(out.end(), options.arguments.begin(), options.arguments.end());
    return out;
}

} // namespace

int iterate(const config::Config& primary, const std::vector<Instance>& instances, const Options& options)
{
    const auto kind = options.mode == Mode::postfix ? kind_of(primary, options.arguments.front()) : CommandKind::other;
    const bool skip_disabled = kind == CommandKind::stop || kind == CommandKind::control;
    std::vector<const Instance*> chosen;
    for (const Instance& instance : instances)
        if (matches(instance, options.selection) && (instance.enabled || !skip_disabled))
            chosen.push_back(&instance);
    if (options.reverse || kind == CommandKind::stop)
        std::ranges::reverse(chosen);
    if (chosen.empty() && options.mode != Mode::list) {
        log::fatal("No matching instances");
        return 1;
    }
    int status = 0;
    for (const Instance* instance : chosen) {
        if (options.mode == Mode::list)
            list(*instance);
        else if (run_for(*instance, options.mode == Mode::postfix ? postfix_command(options, kind, *instance)
                                                                  : options.arguments) != 0)
            status = 1;
    }
    return status;
}

} // namespace facteur::postmulti
