// postkick [-c config_dir] [-v] class service request: sends a few bytes to a service of the instance, to wake it.
// Source: postkick(1).
#include "base/error.h"
#include "base/log.h"
#include "event/loop.h"
#include "ipc/client.h"
#include "service/service.h"

#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>

namespace {

using namespace facteur;

event::Task<void> kick(event::Loop& loop, std::string path, std::string request, bool& sent)
{
    sent = co_await ipc::trigger(loop, std::move(path), std::move(request));
}

[[noreturn]] void die(std::string_view text)
{
    log::fatal("{}", text);
    ::exit(1);
}

} // namespace

int main(int argc, char** argv)
{
    ::signal(SIGPIPE, SIG_IGN);
    log::set_tag("postkick");
    static char name[] = "postkick"; // getopt(3) names the program in its messages
    argv[0] = name;
    std::optional<std::string> directory;
    int letter = 0;
    while ((letter = ::getopt(argc, argv, "c:v")) > 0) {
        switch (letter) {
        case 'c':
            directory = optarg;
            break;
        case 'v':
            log::set_verbosity(log::verbosity() + 1);
            break;
        default:
            die("usage: postkick [-c config_dir] [-v] class service request");
        }
    }
    if (argc != optind + 3)
        die("usage: postkick [-c config_dir] [-v] class service request");
    const config::Config config = service::load_tool_config("postkick", directory);
    if (::chdir(config.get(config::params::queue_directory).c_str()) != 0)
        die(fmt::format("chdir {}: {}", config.get(config::params::queue_directory), errno_text(errno)));
    const std::string socket_class = argv[optind];
    const std::string service_name = argv[optind + 1];
    const std::string path = socket_class + "/" + service_name;
    if (::access(path.c_str(), F_OK) != 0)
        log::warning("unable to look up {}: {}", path, errno_text(errno));
    event::Loop loop;
    bool sent = false;
    loop.run_until_done(kick(loop, path, argv[optind + 2], sent));
    if (sent)
        return 0;
    log::warning("Cannot contact class {} service {} - perhaps the mail system is down", socket_class, service_name);
    return 1;
}
