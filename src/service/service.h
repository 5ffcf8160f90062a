// The skeleton of every daemon: flags, configuration, log, jail, privileges, accepting, idling, draining.
//
// master starts a worker with the listening sockets from descriptor 6 on, a life line on 3 (end of file: master is
// gone), the text of main.cf on 4 and a status pipe on 5. Options as Postfix's daemons have them: -n service -t type -u
// -c -s count -o name=value -v -D -l -z; the rest goes to the program. Source: master(8), the daemon skeletons of
// Postfix's architecture.
#pragma once

#include "config/config.h"
#include "config/master_cf.h"
#include "event/loop.h"
#include "event/pool.h"
#include "ipc/channel.h"
#include "net/stream.h"
#include "service/place.h"

#include <expected>
#include <memory>
#include <string>
#include <vector>

namespace facteur::service {

// Descriptors that a worker inherits.
inline constexpr int kLifelineFd = 3;
inline constexpr int kConfigFd = 4; // main.cf as master has accepted it; FACTEUR_CONFIG in the environment says so
inline constexpr int kStatusFd = 5;
inline constexpr int kFirstListenFd = 6;

// What a worker tells master on the status pipe: 16 bytes each, written whole (less than PIPE_BUF).
struct StatusReport {
    std::int32_t pid;
    std::uint32_t generation; // FACTEUR_GENERATION of the environment
    std::int32_t connections; // open now
    std::int32_t full;        // 1: at its share of the process limit, it stopped accepting
};

// What a program finds around it. Lives as long as the process.
struct Process {
    event::Loop& loop;
    event::WorkerPool& pool;
    const config::Config& config;
    std::string program;      // "smtpd"
    std::string service_name; // master.cf's first column: "smtp", "127.0.0.1:2525", "cleanup"
    config::SocketType type = config::SocketType::unix_stream;
    std::vector<std::string> arguments; // what the skeleton did not take (pipe, spawn)
    int process_limit = 0;              // clients at once in all workers of the service; 0: no limit
    // Clients at once in this worker, rounded up; 0: no limit.
    [[nodiscard]] int places() const { return (process_limit + workers - 1) / workers; }
    int workers = 1;
    int processors = 1;      // that this process may use
    bool stress = false;     // -o stress=yes
    bool privileged = false; // master.cf says unprivileged = n and we are root: effective ids may be switched
    bool standalone = false; // -S or -d: one session on standard input, no master
};

// A program. The skeleton calls before_jail once with the real file system and full rights (open tables, keys), then
// confines the process, then after_jail, then serves until told to stop.
class Server {
public:
    virtual ~Server() = default;
    // An error text ends the process with one "fatal: " line.
    virtual std::expected<void, std::string> before_jail(Process&) { return {}; }
    virtual std::expected<void, std::string> after_jail(Process&) { return {}; }

    // Which of the three ways to serve this program has:
    enum class Kind { connections, requests, datagrams };
    [[nodiscard]] virtual Kind kind() const = 0;

    // Kind::connections: one task a client. The connection counts as open until it ends.
    virtual event::Task<void> connection(net::Accepted client);
    // Kind::requests: one task a request. Answer through the channel; it stays alive while the task runs.
    virtual event::Task<void> request(ipc::Request request, std::shared_ptr<ipc::Channel> from);
    // A legacy trigger byte, sent by postkick, master's wakeup and Postfix's own tools. "W" is the wake-up.
    virtual void trigger(char) {}
    // Kind::datagrams: one datagram.
    virtual void datagram(std::string_view) {}

    // The process was asked to end (a reload, or idle for long): begin nothing new of its own accord. What clients
    // asked, and still ask before they left, is answered as ever.
    virtual void retire() {}
    // All clients left. Return when no more work is held. Default: nothing to do.
    virtual event::Task<void> drain();
    // True for programs that must not end when idle (qmgr, anvil, postlogd, ...).
    [[nodiscard]] virtual bool persistent() const { return false; }
    // True for programs that read what strangers send and never run another program: see syscall_filter.h.
    [[nodiscard]] virtual bool faces_strangers() const { return false; }
    // Whether mail comes in or goes out through this program: see place.h.
    [[nodiscard]] virtual Side side() const { return Side::any; }
};

using MakeServer = std::unique_ptr<Server> (*)();

// The whole of main() of a daemon.
int run(int argc, char** argv, std::string_view program, MakeServer make);

// For command-line tools: configuration and log as a tool has them (standard error, plus syslog or postlog).
// Ends the process with a fatal line on a bad configuration.
config::Config load_tool_config(std::string_view program, std::optional<std::string> directory);
void set_tool_log(const config::Config& config, std::string_view program);
// The same for postfix and postlog: what they say goes to the log under `tag`, and to a terminal when there is one.
void set_script_log(const config::Config& config, std::string tag);

// The log sink that the configuration asks for. Used by run() and master.
void set_daemon_log(event::Loop* loop, const config::Config& config, std::string_view program);

} // namespace facteur::service
