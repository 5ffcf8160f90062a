#include "tools/postmulti/process.h"

#include "base/error.h"
#include "base/log.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace facteur::postmulti {

namespace {

void set_variable(const char* name, const std::string& value)
{
    if (value.empty())
        ::unsetenv(name);
    else
        ::setenv(name, value.c_str(), 1);
}

void export_instance(const Instance& instance)
{
    set_variable("MAIL_CONFIG", instance.config_directory);
    set_variable("config_directory", instance.config_directory);
    set_variable("queue_directory", instance.queue_directory);
    set_variable("data_directory", instance.data_directory);
    set_variable("multi_instance_name", instance.name);
    set_variable("multi_instance_group", instance.group);
    set_variable("multi_instance_enable", instance.enabled ? "yes" : "no");
}

[[noreturn]] void execute(const std::vector<std::string>& command)
{
    std::vector<char*> words;
    for (const std::string& word : command)
        words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    ::execvp(words[0], words.data());
    log::fatal("execvp {}: {}", command[0], errno_text(errno));
    log::flush();
    ::_exit(1);
}

} // namespace

void export_shared(const config::Config& primary, int verbosity)
{
    using namespace config::params;
    const char* const path = std::getenv("PATH");
    ::setenv("PATH", (primary.get(command_directory) + ":" + (path ? path : "/usr/bin:/bin")).c_str(), 1);
    ::setenv("command_directory", primary.get(command_directory).c_str(), 1);
    ::setenv("daemon_directory", primary.get(daemon_directory).c_str(), 1);
    ::setenv("MAIL_LOGTAG", primary.get(syslog_name).c_str(), 1);
    if (verbosity > 0)
        ::setenv("MAIL_VERBOSE", "", 1);
    export_instance(instance_of(primary));
}

int run_for(const Instance& instance, const std::vector<std::string>& command)
{
    const pid_t pid = ::fork();
    if (pid < 0) {
        log::fatal("fork: {}", errno_text(errno));
        return 1;
    }
    if (pid == 0) {
        export_instance(instance);
        execute(command);
    }
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::expected<void, std::string> run_tool(const config::Config& primary, const std::string& program,
                                          const std::string& config_directory,
                                          const std::vector<std::string>& arguments)
{
    std::vector<std::string> command{primary.get(config::params::command_directory) + "/" + program, "-c",
                                     config_directory};
    command.insert(command.end(), arguments.begin(), arguments.end());
    Instance instance = instance_of(primary);
    instance.config_directory = config_directory;
    if (run_for(instance, command) != 0)
        return std::unexpected(fmt::format("{} -c {} failed", program, config_directory));
    return {};
}

} // namespace facteur::postmulti
