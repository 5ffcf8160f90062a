#include "daemons/master/launch.h"

#include "base/error.h"
#include "base/text.h"
#include "service/service.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>

namespace facteur::master {

namespace {

std::vector<char*> pointers(std::vector<std::string>& words)
{
    std::vector<char*> out;
    for (std::string& word : words)
        out.push_back(word.data());
    out.push_back(nullptr);
    return out;
}

// In the child: only async-signal-safe calls. Sources lie above all targets (endpoint.cc), so none is overwritten.
[[noreturn]] void become(const char* path, char** arguments, char** environment, const std::vector<int>& sockets,
                         const WorkerGround& ground)
{
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    for (const int number : {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGCHLD, SIGPIPE, SIGALRM})
        ::signal(number, SIG_DFL);
    bool ok = ::dup2(ground.lifeline, service::kLifelineFd) >= 0 && ::dup2(ground.config, service::kConfigFd) >= 0 &&
              ::dup2(ground.status_pipe, service::kStatusFd) >= 0;
    int target = service::kFirstListenFd;
    for (const int socket : sockets)
        ok = ok && ::dup2(socket, target++) >= 0;
    if (ok)
        ::execve(path, arguments, environment);
    ::_exit(1);
}

// Variables whose value is ours to say, whatever our own environment has.
bool set_here(std::string_view name)
{
    return name == "MAIL_CONFIG" || name == "POSTLOG_SERVICE" || name == "POSTLOG_HOSTNAME";
}

} // namespace

std::vector<std::string> worker_environment(const config::Config& config)
{
    std::vector<std::string> out;
    for (const auto word : text::split_list(config.get(config::params::import_environment))) {
        if (word.find('=') != word.npos)
            out.emplace_back(word);
        else if (const char* const value = std::getenv(std::string(word).c_str()); value && !set_here(word))
            out.push_back(fmt::format("{}={}", word, value));
    }
    out.push_back("MAIL_CONFIG=" + config.directory());
    // A worker that cannot read its configuration can still say so.
    if (!config.get(config::params::maillog_file).empty()) {
        out.push_back("POSTLOG_SERVICE=" + config.get(config::params::queue_directory) + "/public/" +
                      config.get(config::params::postlog_service_name));
        out.push_back("POSTLOG_HOSTNAME=" + config.get(config::params::myhostname));
    }
    out.emplace_back("PATH=/bin:/usr/bin:/sbin:/usr/sbin");
    return out;
}

std::expected<UniqueFd, std::string> config_file(const config::Config& config)
{
    const UniqueFd low(::memfd_create("main.cf", MFD_CLOEXEC));
    if (!low)
        return std::unexpected("memfd_create: " + errno_text(errno));
    if (const auto written = write_all(low.get(), config.source(), "main.cf in memory"); !written)
        return std::unexpected(written.error().message());
    UniqueFd high(::fcntl(low.get(), F_DUPFD_CLOEXEC, 256));
    if (!high)
        return std::unexpected("dup: " + errno_text(errno));
    return high;
}

std::expected<pid_t, std::string> launch(const ServicePlan& plan, const std::vector<int>& sockets,
                                         const WorkerGround& ground, const LaunchOptions& options)
{
    auto words = command_line(plan, options);
    auto variables = ground.environment;
    variables.push_back(fmt::format("FACTEUR_GENERATION={}", ground.generation));
    variables.push_back(fmt::format("FACTEUR_PROCESS_LIMIT={}", plan.process_limit));
    variables.push_back(fmt::format("FACTEUR_WORKERS={}", plan.workers));
    variables.emplace_back("FACTEUR_CONFIG=accepted");
    const auto arguments = pointers(words);
    const auto environment = pointers(variables);
    const pid_t pid = ::fork();
    if (pid < 0)
        return std::unexpected("fork: " + errno_text(errno));
    if (pid == 0)
        become(plan.program_path.c_str(), const_cast<char**>(arguments.data()), const_cast<char**>(environment.data()),
               sockets, ground);
    return pid;
}

} // namespace facteur::master
