// The verbs that change files: upgrade-configuration and logrotate.
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "config/master_cf.h"
#include "service/instance.h"
#include "tools/postfix/control.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <ctime>

extern char** environ;

namespace facteur::postfix_command {

namespace {

// Services that a mail system of today needs and old files may lack.
struct NeededService {
    std::string_view name;
    std::string_view type;
    std::string_view rest;
};
constexpr auto kNeeded = std::to_array<NeededService>({
    {"rewrite", "unix", "-       -       n       -       -       trivial-rewrite"},
    {"bounce", "unix", "-       -       n       -       0       bounce"},
    {"defer", "unix", "-       -       n       -       0       bounce"},
    {"trace", "unix", "-       -       n       -       0       bounce"},
    {"flush", "unix", "n       -       n       1000?   0       flush"},
    {"proxymap", "unix", "-       -       n       -       -       proxymap"},
    {"proxywrite", "unix", "-       -       n       -       1       proxymap"},
    {"smtp", "unix", "-       -       n       -       -       smtp"},
    {"relay", "unix", "-       -       n       -       -       smtp"},
    {"showq", "unix", "n       -       n       -       -       showq"},
    {"error", "unix", "-       -       n       -       -       error"},
    {"retry", "unix", "-       -       n       -       -       error"},
    {"discard", "unix", "-       -       n       -       -       discard"},
    {"anvil", "unix", "-       -       n       -       1       anvil"},
    {"postlog", "unix-dgram", "n  -       n       -       1       postlogd"},
});

// "%Y%m%d-%H%M%S" filled in.
std::string time_stamp(const std::string& format)
{
    const std::time_t now = std::time(nullptr);
    std::tm local{};
    ::localtime_r(&now, &local);
    char buffer[256];
    return {buffer, std::strftime(buffer, sizeof buffer, format.c_str(), &local)};
}

std::expected<void, std::string> compress(const std::string& program, const std::string& file)
{
    std::string name = program;
    std::string argument = file;
    char* words[] = {name.data(), argument.data(), nullptr};
    pid_t pid = 0;
    if (const int code = ::posix_spawnp(&pid, name.c_str(), nullptr, nullptr, words, environ); code != 0)
        return std::unexpected(program + ": " + errno_text(code));
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return std::unexpected(program + " " + file + " failed");
    return {};
}

std::expected<void, std::string> rotate(const Context& context)
{
    const std::string& file = context.config.get(config::params::maillog_file);
    const std::string stamped = file + "." + time_stamp(context.config.get(config::params::maillog_file_rotate_suffix));
    if (::rename(file.c_str(), stamped.c_str()) != 0)
        return std::unexpected("rename " + file + ": " + errno_text(errno));
    const auto pid = service::running_master(context.config.get(config::params::queue_directory));
    if (pid && *pid > 1 && ::kill(*pid, SIGHUP) != 0)
        return std::unexpected("kill: " + errno_text(errno));
    // The logger turns to the new file before the old one changes.
    ::sleep(1);
    return compress(context.config.get(config::params::maillog_file_compressor), stamped);
}

} // namespace

int upgrade_configuration(const Context& context)
{
    if (const int failed = set_permissions(context); failed != 0)
        return failed;
    const auto entries = config::load_master_cf(context.config);
    if (!entries) {
        log::fatal("{}", entries.error().message());
        return 1;
    }
    const std::string path = context.config.directory() + "/master.cf";
    for (const NeededService& needed : kNeeded) {
        const auto same = [&](const config::MasterEntry& entry) {
            return entry.name == needed.name && config::to_string(entry.type) == needed.type;
        };
        if (std::ranges::any_of(*entries, same))
            continue;
        fmt::print("Editing {}, adding missing entry for {} {} service\n", path, needed.name, needed.type);
        const auto fd = open_file(path, O_WRONLY | O_APPEND);
        const std::string line = fmt::format("{:<9} {:<4}  {}\n", needed.name, needed.type, needed.rest);
        if (!fd || !write_all(fd->get(), line, path)) {
            log::fatal("cannot write {}", path);
            return 1;
        }
    }
    return 0;
}

int logrotate(const Context& context)
{
    if (!context.arguments.empty()) {
        log::fatal("usage postfix logrotate (no arguments)");
        return 1;
    }
    for (const auto* parameter : {&config::params::maillog_file, &config::params::maillog_file_compressor,
                                  &config::params::maillog_file_rotate_suffix})
        if (context.config.get(*parameter).empty()) {
            log::fatal("empty '{}' parameter value - logfile rotation failed", parameter->name);
            return 1;
        }
    const std::string file = context.config.get(config::params::maillog_file);
    if (file.starts_with("/dev/")) {
        log::fatal("not rotating '{}'", file);
        return 1;
    }
    if (const auto rotated = rotate(context); !rotated) {
        log::fatal("logfile '{}' rotation failed: {}", file, rotated.error());
        return 1;
    }
    return 0;
}

} // namespace facteur::postfix_command
