// master [-Dditvw] [-c config_dir] [-e exit_time]. Source: master(8).
#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "config/check.h"
#include "daemons/master/master.h"
#include "service/instance.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>

namespace {

using namespace facteur;

constexpr int kInitSeconds = 30; // how long -w waits for the services to listen

struct Options {
    std::optional<std::string> directory;
    master::Master::Options master;
    bool keep_descriptors = false; // -d
    bool init = false;             // -i
    bool keep_stdout = false;      // -s
    bool test_lock = false;        // -t
    bool wait = false;             // -w
};

[[noreturn]] void die(std::string_view text)
{
    log::fatal("{}", text);
    log::flush();
    ::exit(1);
}

Options parse(int argc, char** argv)
{
    Options out;
    int letter = 0;
    while ((letter = ::getopt(argc, argv, "c:Dde:istvw")) > 0) {
        switch (letter) {
        case 'c':
            out.directory = optarg;
            break;
        case 'D':
            out.master.debugger = true;
            break;
        case 'd':
            out.keep_descriptors = true;
            break;
        case 'e':
            out.master.exit_after_seconds = text::to_long(optarg).value_or(-1);
            break;
        case 'i':
            out.init = true;
            break;
        case 's':
            out.keep_stdout = true;
            break;
        case 't':
            out.test_lock = true;
            break;
        case 'v':
            ++out.master.verbosity;
            break;
        case 'w':
            out.wait = true;
            break;
        default:
            die(fmt::format("usage: {} [-c config_dir] [-D (debug)] [-d (don't detach from terminal)] [-e exit_time] "
                            "[-i (init mode)] [-s (keep stdout open)] [-t (test)] [-v] [-w (wait for initialization)]",
                            argv[0]));
        }
    }
    if (out.init && ::getpid() != 1)
        die("-i is allowed only for PID 1 process");
    if (out.wait && (out.init || out.keep_stdout || out.test_lock))
        die("the -w option cannot be combined with -i, -s or -t");
    if (out.master.exit_after_seconds && *out.master.exit_after_seconds < 1)
        die("-e: a positive number of seconds is needed");
    return out;
}

// The foreground half of -w: ends when the daemon says that it listens, or that it will never do.
[[noreturn]] void wait_for_daemon(int pipe_end)
{
    pollfd wait{pipe_end, POLLIN, 0};
    char byte = 0;
    if (::poll(&wait, 1, kInitSeconds * 1000) <= 0)
        die("daemon initialization timeout");
    if (::read(pipe_end, &byte, 1) != 1)
        die("daemon initialization failure -- see logs for details");
    ::_exit(0);
}

// Returns in the daemon only; the write end tells success.
UniqueFd split_for_wait()
{
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
        die("pipe: " + errno_text(errno));
    const pid_t pid = ::fork();
    if (pid < 0)
        die("fork: " + errno_text(errno));
    if (pid > 0) {
        ::close(ends[1]);
        wait_for_daemon(ends[0]);
    }
    ::close(ends[0]);
    return UniqueFd(ends[1]);
}

// A session of its own, so that "postfix stop" can end all processes and a terminal none.
void detach(const Options& options)
{
    const int null = ::open("/dev/null", O_RDWR);
    for (int fd = 0; fd < 3 && !options.keep_descriptors; ++fd)
        if (!(fd == STDOUT_FILENO && (options.keep_stdout || options.init)))
            ::dup2(null, fd);
    if (null > 2)
        ::close(null);
    if (!options.init && !options.keep_descriptors && ::getpgrp() != ::getpid() && ::setsid() < 0)
        die("unable to set session and process group ID: " + errno_text(errno));
}

// Workers serve thousands of clients each.
void raise_descriptor_limit()
{
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0)
        log::warning("setrlimit: {}", errno_text(errno));
}

[[noreturn]] void test_lock(const std::string& queue_directory)
{
    ::exit(service::is_locked(queue_directory + "/" + std::string(service::kMasterPidFile)) ? 1 : 0);
}

} // namespace

int main(int argc, char** argv)
{
    ::signal(SIGPIPE, SIG_IGN);
    ::umask(022);
    log::set_tag("postfix/master");
    const Options options = parse(argc, argv);
    log::set_verbosity(options.master.verbosity);
    auto config = config::Config::load(config::configuration_directory(options.directory));
    if (!config)
        die(config.error().message());
    const std::string queue_directory = config->get(config::params::queue_directory);
    if (options.test_lock)
        test_lock(queue_directory);
    if (const auto wrong = config::check_log_file(*config))
        die(wrong->message());
    master::set_master_log(*config);
    UniqueFd waiting;
    if (options.wait)
        waiting = split_for_wait();
    detach(options);
    raise_descriptor_limit();
    if (::chdir(queue_directory.c_str()) != 0)
        die("chdir " + queue_directory + ": " + errno_text(errno));

    event::Loop loop;
    master::Master daemon(loop, std::move(*config), options.master);
    if (const auto opened = daemon.open(); !opened)
        die(opened.error());
    if (waiting && !write_all(waiting.get(), "+", "pipe"))
        log::warning("nobody waits for the start any more");
    waiting.reset();
    daemon.run();
    log::flush();
    ::_exit(0);
}
