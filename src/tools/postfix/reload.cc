#include "tools/postfix/reload.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "config/check.h"
#include "config/logical_lines.h"
#include "config/params.h"
#include "service/instance.h"
#include "service/reload_report.h"
#include "tools/postfix/control.h"
#include "tools/postfix/table_check.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

namespace facteur::postfix_command {

namespace {

constexpr std::chrono::seconds kPatience{10};

// master says in the log what it does; a person reads it here.
int ask_master(pid_t pid, const std::string& queue_directory)
{
    service::forget_reload_report(queue_directory);
    if (::kill(pid, SIGHUP) != 0) {
        log::fatal("kill: {}", errno_text(errno));
        return 1;
    }
    const auto report = service::await_reload_report(queue_directory, kPatience);
    if (!report) {
        log::fatal("the master process has not answered the reload request");
        return 1;
    }
    const bool accepted = report->outcome == service::ReloadOutcome::accepted;
    for (const std::string& line : report->lines)
        if (accepted)
            fmt::print("{}\n", line);
        else
            fmt::print(stderr, "postfix: fatal: {}\n", line);
    if (!accepted)
        fmt::print(stderr, "postfix: fatal: reload refused, the previous configuration stays in use\n");
    else if (!report->lines.empty())
        fmt::print("new processes take these values; those at work finish what they have with the old ones\n");
    else if (::isatty(STDOUT_FILENO)) // a script that reloads hears nothing, as ever
        fmt::print("nothing changed in main.cf and master.cf\n");
    return accepted ? 0 : 1;
}

// The queue directory of a main.cf of which some other line is wrong.
std::optional<std::string> queue_directory_of(const std::string& directory)
{
    const auto text = read_file(directory + "/main.cf");
    if (!text)
        return std::nullopt;
    config::Overrides settings{{"config_directory", directory}};
    for (const auto& line : config::logical_lines(*text)) {
        const auto [name, value, error] = config::split_name_value(line.text);
        const bool of_the_user = config::find_parameter(name) == nullptr;
        if (error.empty() && (of_the_user || name == config::params::queue_directory.name))
            settings.insert_or_assign(std::string(name), std::string(value));
    }
    const auto config = config::Config::from_text("", std::move(settings));
    return config ? std::optional(config->get(config::params::queue_directory)) : std::nullopt;
}

} // namespace

int reload(const Context& context)
{
    const std::string& queue_directory = context.config.get(config::params::queue_directory);
    const auto pid = service::running_master(queue_directory);
    if (!pid || *pid < 1) {
        log::fatal("the Postfix mail system is not running");
        return 1;
    }
    warn_of_problems(context.config);
    log::info("refreshing the Postfix mail system");
    return ask_master(*pid, queue_directory);
}

int reload_refused(const std::string& directory, const config::Problem& problem)
{
    const auto queue_directory = queue_directory_of(directory);
    const auto pid = queue_directory ? service::running_master(*queue_directory) : std::nullopt;
    if (pid && *pid > 1)
        return ask_master(*pid, *queue_directory);
    log::fatal("{}", problem.message());
    return 1;
}

} // namespace facteur::postfix_command
