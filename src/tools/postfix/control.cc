#include "tools/postfix/control.h"

#include "base/error.h"
#include "base/log.h"
#include "config/check.h"
#include "config/master_cf.h"
#include "event/loop.h"
#include "ipc/client.h"
#include "ipc/messages.pb.h"
#include "service/instance.h"
#include "tools/postfix/directories.h"
#include "tools/postfix/recover.h"
#include "tools/postfix/table_check.h"

#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>

namespace facteur::postfix_command {

namespace {

constexpr int kStopSeconds = 5;

std::string queue_directory(const Context& context)
{
    return context.config.get(config::params::queue_directory);
}

std::optional<pid_t> master_pid(const Context& context)
{
    return service::running_master(queue_directory(context));
}

int fail(std::string_view text)
{
    log::fatal("{}", text);
    return 1;
}

int not_running()
{
    return fail("the Postfix mail system is not running");
}

std::string master_path(const Context& context)
{
    return context.config.get(config::params::daemon_directory) + "/master";
}

std::vector<std::string> master_arguments(const Context& context, std::initializer_list<std::string> flags)
{
    std::vector<std::string> out{"master"};
    out.insert(out.end(), flags);
    out.insert(out.end(), {"-c", context.config.directory()});
    out.insert(out.end(), static_cast<std::size_t>(context.verbosity), "-v");
    if (context.debugger)
        out.emplace_back("-D");
    return out;
}

[[noreturn]] void execute(const std::string& path, std::vector<std::string> words)
{
    std::vector<char*> arguments;
    for (std::string& word : words)
        arguments.push_back(word.data());
    arguments.push_back(nullptr);
    ::execv(path.c_str(), arguments.data());
    log::fatal("exec {}: {}", path, errno_text(errno));
    ::_exit(1);
}

int run_program(const std::string& path, std::vector<std::string> words)
{
    const pid_t pid = ::fork();
    if (pid < 0)
        return 1;
    if (pid == 0)
        execute(path, std::move(words));
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

// A log file needs the service that writes it.
std::expected<void, std::string> check_services(const Context& context)
{
    const auto entries = config::load_master_cf(context.config);
    if (!entries)
        return std::unexpected(entries.error().message());
    if (context.config.get(config::params::maillog_file).empty())
        return {};
    const std::string& name = context.config.get(config::params::postlog_service_name);
    const bool there = std::ranges::any_of(*entries, [&](const auto& entry) {
        return entry.name == name && entry.type == config::SocketType::unix_dgram;
    });
    if (!there)
        return std::unexpected("missing 'postlog' service in master.cf - run 'postfix upgrade-configuration'");
    return {};
}

// What must be in place before anything runs: directories, master.cf. An exit status; 0: it is.
int ensure_integrity(const Context& context, Depth depth)
{
    const auto who = find_identities(context.config);
    if (!who)
        return fail(who.error());
    if (::access(master_path(context).c_str(), X_OK) != 0)
        return fail("no Postfix master program " + master_path(context) + "!");
    if (const auto made = make_directories(context.config, *who, Existing::keep); !made) {
        log::error("{}", made.error());
        return fail("unable to create missing queue directories");
    }
    if (::access((context.config.directory() + "/master.cf").c_str(), R_OK) != 0)
        return fail("no " + context.config.directory() + "/master.cf file found");
    if (const auto checked = check_services(context); !checked)
        return fail(checked.error());
    if (const auto refused = warn_of_problems(context.config))
        return fail(*refused);
    for (const std::string& line : ownership_warnings(context.config, *who, depth))
        log::warning("{}", line);
    return 0;
}

int prepare_start(const Context& context)
{
    if (master_pid(context))
        return fail("the Postfix mail system is already running");
    if (ensure_integrity(context, Depth::directories) != 0)
        return fail("Postfix integrity check failed!");
    if (const auto recovered = recover_queue(context.config); !recovered)
        return fail("queue recovery failed: " + recovered.error());
    log::info("starting the Postfix mail system");
    return 0;
}

event::Task<void> ask_to_flush(event::Loop& loop, std::string socket, bool& sent)
{
    ipc::Client queue_manager(loop, std::move(socket));
    ipc::QueueChange change;
    change.set_operation(ipc::QueueChange::FLUSH_ALL);
    sent = co_await queue_manager.send_one_way(ipc::Method::queue_change, change);
    // The frame leaves at the end of the turn.
    co_await loop.sleep(event::milliseconds(10));
}

struct Verb {
    std::string_view name;
    int (*run)(const Context&);
};

constexpr auto kVerbs = std::to_array<Verb>({
    {"start", start},
    {"start-fg", start_foreground},
    {"stop", stop},
    {"abort", abort_all},
    {"reload", reload},
    {"status", status},
    {"check", check},
    {"flush", flush},
    {"set-permissions", set_permissions},
    {"upgrade-configuration", upgrade_configuration},
    {"logrotate", logrotate},
    {"explain", explain},
});

} // namespace

std::optional<std::string> warn_of_problems(const config::Config& config)
{
    auto problems = config::check(config);
    for (auto& problem : check_tables(config))
        problems.push_back(std::move(problem));
    std::optional<std::string> refused;
    for (const config::Problem& problem : problems)
        if (problem.gravity == config::Gravity::refused)
            refused = problem.message();
        else
            log::warning("{}", problem.message());
    return refused;
}

int run_verb(const std::string& verb, const Context& context)
{
    if (verb.starts_with('/')) {
        std::vector<std::string> words{verb};
        words.insert(words.end(), context.arguments.begin(), context.arguments.end());
        return run_program(verb, std::move(words));
    }
    const auto found = std::ranges::find(kVerbs, verb, &Verb::name);
    if (found == kVerbs.end())
        return fail("unknown command: '" + verb +
                    "'. Usage: postfix start (or stop, reload, abort, flush, check, status, set-permissions, "
                    "upgrade-configuration, logrotate, explain)");
    return found->run(context);
}

int start(const Context& context)
{
    if (const int failed = prepare_start(context); failed != 0)
        return failed;
    if (run_program(master_path(context), master_arguments(context, {"-w"})) != 0)
        return fail("mail system startup failed");
    return 0;
}

int start_foreground(const Context& context)
{
    if (!context.config.get(config::params::multi_instance_directories).empty())
        return fail("start-fg does not support multi_instance_directories");
    if (const int failed = prepare_start(context); failed != 0)
        return failed;
    log::flush();
    execute(master_path(context), master_arguments(context, {::getpid() == 1 ? "-i" : "-s"}));
}

namespace {

void await_end(const Context& context, pid_t pid)
{
    for (int tenths = 0; tenths < kStopSeconds * 10; ++tenths) {
        if (!master_pid(context))
            return;
        if (tenths % 10 == 5)
            log::info("waiting for the Postfix mail system to terminate");
        ::usleep(100'000);
    }
    if (!master_pid(context))
        return;
    log::warning("stopping the Postfix mail system with force");
    ::kill(-pid, SIGKILL);
}

} // namespace

int stop(const Context& context)
{
    const auto pid = master_pid(context);
    if (!pid || *pid <= 1)
        return not_running();
    log::info("stopping the Postfix mail system");
    if (::kill(*pid, SIGTERM) != 0)
        return fail("kill: " + errno_text(errno));
    await_end(context, *pid);
    // A stopped system is its files alone: what an administrator removes from them now must not come back out of the
    // journal at the next start.
    if (const auto settled = recover_queue(context.config); !settled)
        log::warning("queue recovery failed: {}", settled.error());
    return 0;
}

int abort_all(const Context& context)
{
    const auto pid = master_pid(context);
    if (!pid || *pid < 1)
        return not_running();
    log::info("aborting the Postfix mail system");
    return ::kill(*pid, SIGTERM) == 0 ? 0 : fail("kill: " + errno_text(errno));
}

int status(const Context& context)
{
    const auto pid = master_pid(context);
    if (!pid) {
        log::info("the Postfix mail system is not running");
        return 1;
    }
    log::info("the Postfix mail system is running: PID: {}", *pid);
    return 0;
}

int check(const Context& context)
{
    return ensure_integrity(context, Depth::thorough);
}

int flush(const Context& context)
{
    event::Loop loop;
    bool sent = false;
    loop.run_until_done(ask_to_flush(
        loop, queue_directory(context) + "/public/" + context.config.get(config::params::queue_service_name), sent));
    if (sent)
        return 0;
    log::fatal("Cannot flush mail queue - mail system is down");
    return EX_UNAVAILABLE;
}

int set_permissions(const Context& context)
{
    const auto who = find_identities(context.config);
    if (!who)
        return fail(who.error());
    if (const auto made = make_directories(context.config, *who, Existing::repair); !made)
        return fail(made.error());
    if (!shares_programs(context.config))
        if (const auto repaired = repair_programs(context.config, *who); !repaired)
            return fail(repaired.error());
    return 0;
}

} // namespace facteur::postfix_command
