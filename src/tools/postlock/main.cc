// postlock [-c config_dir] [-l lock_style] [-v] file command...: runs a command while a mailbox is locked.
// Source: postlock(1).
#include "base/error.h"
#include "base/log.h"
#include "service/service.h"
#include "tools/postlock/mailbox_lock.h"

#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>

namespace {

using namespace facteur;

[[noreturn]] void die(std::string_view text)
{
    log::fatal("{}", text);
    ::exit(EX_TEMPFAIL);
}

// The exit status of the command, or EX_TEMPFAIL.
int run(char** command)
{
    const pid_t pid = ::fork();
    if (pid < 0) {
        log::warning("fork {}: {}", command[0], errno_text(errno));
        return EX_TEMPFAIL;
    }
    if (pid == 0) {
        ::execvp(command[0], command);
        log::fatal("execvp {}: {}", command[0], errno_text(errno));
        ::_exit(1); // as any command that failed
    }
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : EX_TEMPFAIL;
}

} // namespace

int main(int argc, char** argv)
{
    log::set_tag(argc > 0 ? argv[0] : "postlock");
    std::optional<std::string> directory;
    std::optional<std::string> styles;
    int letter = 0;
    while ((letter = ::getopt(argc, argv, "+c:l:v")) > 0) {
        switch (letter) {
        case 'c':
            directory = optarg;
            break;
        case 'l':
            styles = optarg;
            break;
        case 'v':
            log::set_verbosity(log::verbosity() + 1);
            break;
        default:
            optind = argc;
            break;
        }
    }
    if (optind + 2 > argc)
        die(fmt::format("usage: {} [-c config_dir] [-l lock_style] [-v] folder command...", argv[0]));
    auto config = config::Config::load(config::configuration_directory(directory));
    if (!config)
        die(config.error().message());
    auto rules = postlock::parse_styles(styles.value_or(config->get(config::params::mailbox_delivery_lock)));
    if (!rules)
        die(rules.error());
    rules->attempts = config->get(config::params::deliver_lock_attempts);
    rules->delay = config->get(config::params::deliver_lock_delay);
    rules->stale = config->get(config::params::stale_lock_time);
    const auto lock = postlock::MailboxLock::acquire(argv[optind], *rules);
    if (!lock)
        die(lock.error());
    return run(argv + optind + 1);
}
