#include "tools/postfix/recover.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "queue/recovery.h"
#include "service/privileges.h"
#include "tools/postfix/directories.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

namespace facteur::postfix_command {

namespace {

constexpr int kAttempts = 50; // a tenth of a second each

using Report = std::expected<queue::RecoveryReport, std::string>;

Report recover_here(const config::Config& config, const Identities& who)
{
    const std::string& directory = config.get(config::params::queue_directory);
    if (::chdir(directory.c_str()) != 0)
        return std::unexpected("chdir " + directory + ": " + errno_text(errno));
    if (who.privileged)
        if (const auto dropped = service::jail(directory, false, who.mail_owner); !dropped)
            return std::unexpected(dropped.error());
    ::umask(077);
    const queue::Spool spool(config.get(config::params::hash_queue_names),
                             static_cast<int>(config.get(config::params::hash_queue_depth)));
    for (int attempt = 0;; ++attempt) {
        const auto report = queue::recover(spool);
        if (report)
            return *report;
        if (report.error().code != EBUSY || attempt >= kAttempts)
            return std::unexpected(report.error().message());
        ::usleep(100'000);
    }
}

// The child's only way to speak: it has lost the right to write to the log. One line: a letter and the rest.
void tell(int pipe_end, const Report& report)
{
    std::string line = "E" + (report ? std::string() : report.error());
    if (report) {
        const std::size_t total =
            report->replayed + report->repaired + report->removed + report->unfinished + report->orphaned;
        line = total == 0 ? ""
                          : fmt::format("Iqueue recovery: {} messages restored, {} repaired, {} finished deliveries "
                                        "noted, {} unfinished files and {} leftover logs removed",
                                        report->replayed, report->repaired, report->removed, report->unfinished,
                                        report->orphaned);
    }
    // Nobody but our parent listens; when it is gone nothing is left to do.
    if (!write_all(pipe_end, line, "pipe"))
        ::_exit(1);
}

std::string read_all(int fd)
{
    std::string out;
    char buffer[1024];
    for (ssize_t got = 0; (got = ::read(fd, buffer, sizeof buffer)) > 0 || (got < 0 && errno == EINTR);)
        if (got > 0)
            out.append(buffer, static_cast<std::size_t>(got));
    return out;
}

} // namespace

std::expected<void, std::string> recover_queue(const config::Config& config)
{
    const auto who = find_identities(config);
    if (!who)
        return std::unexpected(who.error());
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
        return std::unexpected("pipe: " + errno_text(errno));
    const UniqueFd reading(ends[0]);
    UniqueFd writing(ends[1]);
    const pid_t pid = ::fork();
    if (pid < 0)
        return std::unexpected("fork: " + errno_text(errno));
    if (pid == 0) {
        tell(writing.get(), recover_here(config, *who));
        ::_exit(0);
    }
    writing.reset();
    const std::string said = read_all(reading.get());
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (said.starts_with('E'))
        return std::unexpected(said.substr(1));
    if (status != 0)
        return std::unexpected(fmt::format("the process ended with status {}", status));
    if (said.starts_with('I'))
        log::info("{}", said.substr(1));
    return {};
}

} // namespace facteur::postfix_command
