#include "service/service.h"

#include "base/log.h"
#include "base/text.h"
#include "config/check.h"
#include "service/log_sinks.h"
#include "service/privileges.h"
#include "service/syscall_filter.h"

#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <thread>

namespace facteur::service {

namespace {

using config::Config;

struct Options {
    std::string service;
    config::SocketType type = config::SocketType::unix_stream;
    bool chroot = false;
    bool unprivileged = false;
    bool standalone = false;
    int sockets = 1;
    int verbosity = 0;
    config::Overrides overrides;
    std::vector<std::string> rest;
};

std::expected<Options, std::string> parse_options(int argc, char** argv)
{
    Options options;
    int i = 1;
    const auto value = [&]() -> std::string { return ++i < argc ? argv[i] : ""; };
    for (; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (word.size() < 2 || word[0] != '-')
            break;
        if (word.find_first_not_of('v', 1) == word.npos) {
            options.verbosity += static_cast<int>(word.size()) - 1;
            continue;
        }
        switch (word[1]) {
        case 'n':
            options.service = value();
            break;
        case 't': {
            const std::string type = value();
            options.type = type == "inet"         ? config::SocketType::inet
                           : type == "unix-dgram" ? config::SocketType::unix_dgram
                           : type == "fifo"       ? config::SocketType::fifo
                           : type == "pass"       ? config::SocketType::pass
                                                  : config::SocketType::unix_stream;
            break;
        }
        case 'c':
            options.chroot = true;
            break;
        case 'u':
            options.unprivileged = true;
            break;
        case 'S':
        case 'd':
            options.standalone = true;
            break;
        case 's':
            options.sockets = static_cast<int>(text::to_long(value()).value_or(1));
            break;
        case 'o': {
            const std::string setting = value();
            const auto equals = setting.find('=');
            if (equals == setting.npos)
                return std::unexpected("-o option value is not name=value: " + setting);
            options.overrides[std::string(text::trim(setting.substr(0, equals)))] =
                text::trim(setting.substr(equals + 1));
            break;
        }
        case 'm':
        case 'i':
            value();
            break;
        case 'D':
        case 'l':
        case 'z':
        case 'r':
        case 'V':
            break;
        default:
            return std::unexpected(fmt::format("unknown option: {}", word));
        }
    }
    for (; i < argc; ++i)
        options.rest.emplace_back(argv[i]);
    return options;
}

int environment_number(const char* name, int otherwise)
{
    const char* const text = std::getenv(name);
    return text ? static_cast<int>(text::to_long(text).value_or(otherwise)) : otherwise;
}

// The serving half: owns the connections and tells master how many there are.
class Worker {
public:
    Worker(Process& process, Server& server)
        : process_(process), server_(server), idle_(process.loop),
          generation_(static_cast<unsigned>(environment_number("FACTEUR_GENERATION", 0))), share_(process.places())
    {
    }

    void serve(int sockets)
    {
        for (int i = 0; i < sockets; ++i) {
            const int fd = kFirstListenFd + i;
            set_nonblocking(fd);
            set_close_on_exec(fd);
            listeners_.push_back(std::make_unique<event::Watch>(process_.loop, fd));
            event::spawn(server_.kind() == Server::Kind::datagrams ? datagrams(*listeners_.back())
                                                                   : accept_all(*listeners_.back()));
        }
        if (!server_.persistent())
            watch_idleness();
    }

    // Ends the process when all is done. With `at_once` nothing is waited for.
    void end(bool at_once)
    {
        if (at_once) {
            log::flush();
            process_.loop.stop();
            return;
        }
        if (std::exchange(draining_, true))
            return;
        for (auto& listener : listeners_)
            listener->cancel();
        event::spawn(drain());
    }

private:
    event::Task<void> drain()
    {
        server_.retire();
        // Clients of a request service stay connected for ever: asked to leave, they finish here and go on with a new
        // worker. One that does not listen is left behind after a while.
        for (auto& channel : channels_)
            if (const auto open = channel.lock())
                open->say_goodbye();
        const auto patience = server_.persistent() ? event::milliseconds(2'000) : event::milliseconds(3'600'000);
        patience_timer_ = process_.loop.call_at(event::Clock::now() + patience, [this] {
            impatient_ = true;
            idle_.notify_all();
        });
        const bool sessions = server_.kind() == Server::Kind::connections;
        while (requests_ > 0 || (connections_ > 0 && (sessions || !impatient_)))
            co_await idle_.wait();
        co_await server_.drain();
        process_.loop.post([this] { end(true); });
    }

    bool full() const { return share_ > 0 && connections_ >= share_ && server_.kind() == Server::Kind::connections; }

    event::Task<void> accept_all(event::Watch& listener)
    {
        for (;;) {
            const event::Ready how = co_await listener.readable();
            if (how != event::Ready::ready)
                co_return;
            while (full() && !draining_)
                co_await idle_.wait();
            if (draining_)
                co_return;
            auto client = net::accept_now(listener.fd());
            if (!client) {
                // Out of descriptors or memory: the connection stays in the backlog.
                log::warning("accept connection: {}", client.error().message());
                co_await process_.loop.sleep(event::milliseconds(500));
                continue;
            }
            if (!*client) {
                listener.drained();
                continue;
            }
            opened();
            event::spawn(one_client(std::move(**client)));
        }
    }

    event::Task<void> one_client(net::Accepted client)
    {
        if (server_.kind() == Server::Kind::connections)
            co_await server_.connection(std::move(client));
        else
            co_await requests(std::move(client));
        closed();
    }

    event::Task<void> requests(net::Accepted client)
    {
        auto stream = std::make_unique<net::Stream>(process_.loop, std::move(client.fd));
        const auto first = co_await stream->fill(event::kForever);
        if (!first)
            co_return;
        if (static_cast<unsigned char>(stream->buffered().front()) < 128) {
            for (const char c : std::string(stream->buffered()))
                server_.trigger(c);
            co_return;
        }
        auto channel = std::make_shared<ipc::Channel>(std::move(stream));
        std::erase_if(channels_, [](const auto& weak) { return weak.expired(); });
        channels_.push_back(channel);
        const std::weak_ptr<ipc::Channel> weak = channel;
        // GCC 12 destroys a capturing lambda twice when it is made inside the awaited expression.
        ipc::Channel::OnRequest on_request = [this, weak](ipc::Request request) {
            event::spawn(one_request(std::move(request), weak.lock()));
        };
        auto serving = channel->run(std::move(on_request));
        co_await serving;
    }

    event::Task<void> one_request(ipc::Request request, std::shared_ptr<ipc::Channel> from)
    {
        ++requests_;
        co_await server_.request(std::move(request), std::move(from));
        --requests_;
        if (requests_ == 0)
            idle_.notify_all();
    }

    event::Task<void> datagrams(event::Watch& socket)
    {
        std::string buffer(256 << 10, '\0');
        for (;;) {
            const event::Ready how = co_await socket.readable();
            if (how != event::Ready::ready)
                co_return;
            const ssize_t got = ::recv(socket.fd(), buffer.data(), buffer.size(), 0);
            if (got >= 0)
                server_.datagram(std::string_view(buffer).substr(0, static_cast<std::size_t>(got)));
            else if (errno != EINTR)
                socket.drained();
        }
    }

    void opened()
    {
        ++connections_;
        last_use_ = process_.loop.now();
        report();
    }

    void closed()
    {
        --connections_;
        last_use_ = process_.loop.now();
        idle_.notify_all();
        report();
    }

    // Changes between idle, busy and full are news to master; the exact number is not.
    void report()
    {
        const int state = full() ? 2 : connections_ > 0 ? 1 : 0;
        if (state == reported_ || process_.standalone)
            return;
        reported_ = state;
        const StatusReport status{::getpid(), generation_, connections_, state == 2};
        [[maybe_unused]] const auto put = ::write(kStatusFd, &status, sizeof status);
    }

    // A worker that nobody used for max_idle ends; master starts another when someone comes.
    void watch_idleness()
    {
        const auto limit = process_.config.get(config::params::max_idle);
        idle_timer_ = process_.loop.call_at(event::Clock::now() + limit, [this, limit] {
            if (connections_ == 0 && requests_ == 0 && process_.loop.now() - last_use_ >= limit) {
                end(false);
                return;
            }
            watch_idleness();
        });
    }

    Process& process_;
    Server& server_;
    event::Condition idle_;
    std::uint32_t generation_;
    const int share_; // of the process limit; 0: no limit
    int connections_ = 0;
    int requests_ = 0;
    int reported_ = -1;
    bool draining_ = false;
    bool impatient_ = false;
    event::Clock::time_point last_use_ = event::Clock::now();
    std::vector<std::unique_ptr<event::Watch>> listeners_;
    std::vector<std::weak_ptr<ipc::Channel>> channels_;
    std::unique_ptr<event::Loop::Timer> idle_timer_;
    std::unique_ptr<event::Loop::Timer> patience_timer_;
};

// main.cf of the configuration that master runs with. What stands in the file by now may have been refused since.
std::expected<Config, config::Problem> load_daemon_config(const config::Overrides& overrides)
{
    const std::string directory = config::configuration_directory({});
    if (!std::getenv("FACTEUR_CONFIG"))
        return Config::load(directory, overrides);
    ::unsetenv("FACTEUR_CONFIG");
    const UniqueFd accepted(kConfigFd);
    std::string text;
    // Workers share the descriptor's position.
    for (std::array<char, 16384> buffer;;) {
        const ssize_t got = ::pread(accepted.get(), buffer.data(), buffer.size(), static_cast<off_t>(text.size()));
        if (got < 0)
            return std::unexpected(config::Problem{directory + "/main.cf", 0, errno_text(errno)});
        if (got == 0)
            return Config::load_text(directory, text, overrides);
        text.append(buffer.data(), static_cast<std::size_t>(got));
    }
}

event::Task<void> watch_lifeline(event::Watch& lifeline, Worker& worker)
{
    const event::Ready how = co_await lifeline.readable();
    if (how == event::Ready::ready)
        worker.end(true); // master is gone
}

event::Task<void> serve_standard_input(Server& server, event::Loop& loop)
{
    net::Accepted client{UniqueFd(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)), {}};
    set_nonblocking(client.fd.get());
    co_await server.connection(std::move(client));
    log::flush();
    loop.stop();
}

int fail(std::string_view text)
{
    log::fatal("{}", text);
    log::flush();
    // As Postfix: a program that cannot start must not be started again in a tight loop.
    ::sleep(1);
    return 1;
}

std::expected<void, std::string> confine(const Config& config, const Options& options)
{
    const std::string& queue_directory = config.get(config::params::queue_directory);
    // A session of `sendmail -bs` is its user's own.
    if (::geteuid() != 0 || options.standalone)
        return {};
    const auto owner = find_account(config.get(config::params::mail_owner));
    if (!owner)
        return std::unexpected(
            "file " + config.directory() +
            "/main.cf: parameter mail_owner: unknown user name value: " + config.get(config::params::mail_owner));
    if (auto jailed = jail(queue_directory, options.chroot, options.unprivileged ? owner : std::nullopt); !jailed)
        return jailed;
    // A privileged program works as mail_owner and becomes root only where it must (ActAs).
    if (!options.unprivileged && (::setegid(owner->gid) != 0 || ::seteuid(owner->uid) != 0))
        return std::unexpected("seteuid: " + errno_text(errno));
    return {};
}

} // namespace

event::Task<void> Server::connection(net::Accepted)
{
    co_return;
}

event::Task<void> Server::request(ipc::Request request, std::shared_ptr<ipc::Channel> from)
{
    from->answer_refused(request);
    co_return;
}

event::Task<void> Server::drain()
{
    co_return;
}

void set_daemon_log(event::Loop* loop, const Config& config, std::string_view program)
{
    log::set_tag(config.get(config::params::syslog_name) + "/" + std::string(program));
    const std::string& file = config.get(config::params::maillog_file);
    if (file.empty()) {
        log::set_sink(make_syslog_sink(loop, facility_code(config.get(config::params::syslog_facility))));
        return;
    }
    const std::string socket =
        config.get(config::params::queue_directory) + "/public/" + config.get(config::params::postlog_service_name);
    // After chdir(2) or chroot(2) into the queue directory the relative name reaches the same socket.
    const bool inside = ::chdir(config.get(config::params::queue_directory).c_str()) == 0;
    log::set_sink(
        make_postlog_sink(loop, inside ? socket.substr(config.get(config::params::queue_directory).size() + 1) : socket,
                          config.get(config::params::myhostname)));
}

namespace {

// A daemon uses message buffers of the same sizes again and again: giving them back to the kernel in between costs a
// page fault for every 4 KB of every message.
void keep_freed_memory()
{
    constexpr int kKeep = 8 << 20; // bytes
    ::mallopt(M_MMAP_THRESHOLD, kKeep);
    ::mallopt(M_TRIM_THRESHOLD, kKeep);
    ::mallopt(M_TOP_PAD, 256 << 10);
}

// What malloc gets from the kernel is faulted in at once: on some virtual machines a page fault costs as much as ten
// system calls, and a thousand deliveries under way take ten thousand pages.
void fault_in_new_heap()
{
    static char* known = static_cast<char*>(::sbrk(0));
    char* const end = static_cast<char*>(::sbrk(0));
    if (end > known) {
        constexpr std::uintptr_t kPage = 4096; // a larger one is a multiple
        char* const begin = known + (-reinterpret_cast<std::uintptr_t>(known) & (kPage - 1));
        // Kernels before 5.14 refuse; then each page comes when it is touched, as ever.
        ::madvise(begin, static_cast<std::size_t>(end - begin), MADV_POPULATE_WRITE);
    }
    known = end;
}

// A daemon that is woken interrupts nobody (SCHED_BATCH): who runs goes on until it waits, and by then there is more
// for the daemon to do at once. A free processor takes it up as soon as ever. Where the administrator chose a policy,
// that one stays. docs/adr/0011-daemons-interrupt-nobody.md
void interrupt_nobody()
{
    const sched_param priority{};
    if (::sched_getscheduler(0) == SCHED_OTHER)
        ::sched_setscheduler(0, SCHED_BATCH, &priority);
}

// Until main.cf has been read, master's environment tells where its own configuration wants the log.
void set_early_log(std::string_view program)
{
    log::set_tag("postfix/" + std::string(program));
    const char* const socket = std::getenv("POSTLOG_SERVICE");
    const char* const host = std::getenv("POSTLOG_HOSTNAME");
    if (socket && host)
        log::set_sink(make_postlog_sink(nullptr, socket, host));
    else if (std::getenv("FACTEUR_GENERATION"))
        log::set_sink(make_syslog_sink(nullptr, facility_code("mail")));
}

} // namespace

int run(int argc, char** argv, std::string_view program, MakeServer make)
{
    ::signal(SIGPIPE, SIG_IGN);
    ::umask(077);
    keep_freed_memory();
    set_early_log(program);
    auto options = parse_options(argc, argv);
    if (!options)
        return fail(options.error());
    log::set_verbosity(options->verbosity);
    if (!options->standalone)
        interrupt_nobody();
    auto config = load_daemon_config(options->overrides);
    if (!config)
        return fail(config.error().message());

    const std::string& queue_directory = config->get(config::params::queue_directory);
    if (::chdir(queue_directory.c_str()) != 0)
        return fail("chdir(\"" + queue_directory + "\"): " + errno_text(errno));
    event::Loop loop;
    set_daemon_log(&loop, *config, program);
    event::WorkerPool pool(loop, 6);
    Process process{loop,
                    pool,
                    *config,
                    std::string(program),
                    options->service.empty() ? std::string(program) : options->service,
                    options->type,
                    options->rest,
                    environment_number("FACTEUR_PROCESS_LIMIT", 0),
                    environment_number("FACTEUR_WORKERS", 1)};
    process.stress = options->overrides.contains("stress") && options->overrides.at("stress") == "yes";
    process.privileged = !options->unprivileged && ::geteuid() == 0;
    process.standalone = options->standalone;
    process.processors = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));

    const auto server = make();
    const bool placed = !process.standalone && config->get(config::params::service_placement);
    Place place(placed ? server->side() : Side::any);
    if (const auto opened = server->before_jail(process); !opened)
        return fail(opened.error());
    if (const auto confined = confine(*config, *options); !confined)
        return fail(confined.error());
    if (const auto connected = server->after_jail(process); !connected)
        return fail(connected.error());
    // A privileged program still changes its identity, and a session of sendmail -bs is its user's own.
    if (server->faces_strangers() && !process.privileged && !process.standalone &&
        config->get(config::params::syscall_filter))
        if (const auto confined = give_up_dangerous_calls(); !confined)
            log::warning("system calls are not restricted: {}", confined.error().message());

    Worker worker(process, *server);
    loop.on_signal(SIGTERM, [&] { worker.end(true); });
    loop.on_signal(SIGHUP, [&] { worker.end(false); });
    std::unique_ptr<event::Watch> lifeline;
    if (options->standalone) {
        event::spawn(serve_standard_input(*server, loop));
    } else {
        set_close_on_exec(kLifelineFd);
        set_close_on_exec(kStatusFd);
        lifeline = std::make_unique<event::Watch>(loop, kLifelineFd);
        event::spawn(watch_lifeline(*lifeline, worker));
        worker.serve(options->sockets);
    }
    loop.before_waits([&] {
        fault_in_new_heap();
        place.look(loop.now());
    });
    loop.run();
    log::flush();
    // Sessions in progress hold references into everything here: leave without unwinding them.
    ::_exit(0);
}

Config load_tool_config(std::string_view program, std::optional<std::string> directory)
{
    log::set_tag(std::string(program));
    auto config = Config::load(config::configuration_directory(std::move(directory)));
    if (!config) {
        log::fatal("{}", config.error().message());
        ::exit(1);
    }
    return std::move(*config);
}

namespace {

// A tool speaks to the person at the terminal and to the log.
class TeeSink final : public log::Sink {
public:
    // Without a name nothing is said to the person.
    TeeSink(std::string program, std::unique_ptr<log::Sink> logger)
        : program_(std::move(program)), logger_(std::move(logger))
    {
    }
    void write(log::Severity severity, std::string_view tag, std::string_view text) override
    {
        if (!program_.empty())
            fmt::print(stderr, "{}: {}\n", program_, text);
        logger_->write(severity, tag, text);
    }
    void flush() override { logger_->flush(); }

private:
    std::string program_;
    std::unique_ptr<log::Sink> logger_;
};

std::string postlog_path(const Config& config)
{
    return config.get(config::params::queue_directory) + "/public/" + config.get(config::params::postlog_service_name);
}

enum class Device { use, leave };

std::unique_ptr<log::Sink> make_tool_logger(const Config& config, Device device)
{
    const std::string& file = config.get(config::params::maillog_file);
    if (file.empty() || config::check_log_file(config))
        return make_syslog_sink(nullptr, facility_code(config.get(config::params::syslog_facility)));
    const std::string parent = file.substr(0, file.rfind('/') + 1);
    // A tool's own standard output is for its caller; the log's is postlogd's.
    if (file.starts_with("/dev/") && device == Device::leave)
        return make_postlog_sink(nullptr, postlog_path(config), config.get(config::params::myhostname));
    const bool may_write =
        ::access(file.c_str(), W_OK) == 0 || (errno == ENOENT && ::access(parent.c_str(), W_OK) == 0);
    if (::geteuid() == 0 || may_write)
        return make_file_sink(file, config.get(config::params::myhostname));
    return make_postlog_sink(nullptr, postlog_path(config), config.get(config::params::myhostname));
}

} // namespace

void set_tool_log(const Config& config, std::string_view program)
{
    log::set_tag(config.get(config::params::syslog_name) + "/" + std::string(program));
    log::set_sink(std::make_unique<TeeSink>(std::string(program), make_tool_logger(config, Device::leave)));
}

void set_script_log(const Config& config, std::string tag)
{
    log::set_tag(tag);
    log::set_sink(std::make_unique<TeeSink>(::isatty(STDERR_FILENO) ? std::move(tag) : std::string(),
                                            make_tool_logger(config, Device::use)));
}

} // namespace facteur::service
