#include "queue/outcomes.h"

#include "base/directory.h"
#include "base/log.h"
#include "base/text.h"
#include "queue/journal.h"
#include "queue/queue_id.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>

namespace facteur::queue {

namespace {

constexpr std::size_t kMaxLog = 64 << 20;

std::string directory_prefix()
{
    return std::string(kJournalDirectory) + "/";
}

std::expected<std::vector<std::string>, SystemError> list_logs()
{
    std::vector<std::string> paths;
    const std::string directory(kJournalDirectory);
    const auto entries = read_directory(directory);
    if (!entries) {
        if (entries.error().code == ENOENT)
            return paths;
        return std::unexpected(entries.error());
    }
    for (const auto& entry : *entries)
        if (entry.name.starts_with(kOutcomeLogs))
            paths.push_back(directory_prefix() + entry.name);
    return paths;
}

} // namespace

std::expected<OutcomeLog, SystemError> OutcomeLog::open()
{
    const std::string path = fmt::format("{}{}{}", directory_prefix(), kOutcomeLogs, ::getpid());
    for (;;) {
        auto file = open_file(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
        if (!file)
            return std::unexpected(file.error());
        struct stat status{};
        if (::flock(file->get(), LOCK_SH) != 0 || ::fstat(file->get(), &status) != 0)
            return std::unexpected(SystemError::last("lock", path));
        if (status.st_nlink == 0)
            continue; // an older one, read and removed just now
        // The queue manager must be able to read what an agent that runs as root wrote.
        struct stat directory{};
        if (::geteuid() == 0 && ::stat(std::string(kJournalDirectory).c_str(), &directory) == 0 &&
            ::fchown(file->get(), directory.st_uid, directory.st_gid) != 0)
            return std::unexpected(SystemError::last("fchown", path));
        return OutcomeLog(std::move(*file));
    }
}

void OutcomeLog::write(std::string line)
{
    if (const auto written = write_all(fd_.get(), line, "outcomes"); !written)
        log::warning("{}", written.error().message());
}

void OutcomeLog::taken(std::string_view id)
{
    write(fmt::format("{} -\n", id));
}

void OutcomeLog::done(std::string_view id, std::uint32_t number)
{
    write(fmt::format("{} {}\n", id, number));
}

void Outcomes::add(std::string_view log, bool running)
{
    for (std::size_t end = log.find('\n'); end != log.npos; end = log.find('\n')) {
        const std::string_view line = log.substr(0, end);
        log.remove_prefix(end + 1);
        const auto space = line.find(' ');
        const std::string_view id = line.substr(0, space);
        if (space == line.npos || !valid_queue_id(id))
            continue;
        const std::string_view what = line.substr(space + 1);
        std::uint32_t number = 0;
        const auto parsed = std::from_chars(what.begin(), what.end(), number);
        if (parsed.ec == std::errc() && parsed.ptr == what.end())
            done[std::string(id)].insert(number);
        else if (what == "-" && running)
            busy.insert(std::string(id));
    }
}

bool outcomes_left()
{
    const auto logs = list_logs();
    return !logs || !logs->empty();
}

std::expected<OutcomeReading, SystemError> read_outcomes()
{
    OutcomeReading reading;
    const auto logs = list_logs();
    if (!logs)
        return std::unexpected(logs.error());
    for (const auto& path : *logs) {
        const auto file = open_file(path, O_RDONLY);
        if (!file)
            return std::unexpected(file.error());
        // Locked first: once it is ours nothing more comes.
        const bool running = ::flock(file->get(), LOCK_EX | LOCK_NB) != 0;
        const auto bytes = read_file(path, kMaxLog);
        if (!bytes)
            return std::unexpected(bytes.error());
        reading.outcomes.add(*bytes, running);
        if (!running)
            reading.finished.push_back({path, bytes->size()});
    }
    return reading;
}

void forget_outcomes(const std::vector<OutcomeReading::Log>& finished)
{
    for (const auto& [path, size] : finished) {
        const auto file = open_file(path, O_RDONLY);
        struct stat status{};
        if (!file || ::flock(file->get(), LOCK_EX | LOCK_NB) != 0 || ::fstat(file->get(), &status) != 0 ||
            static_cast<std::size_t>(status.st_size) != size)
            continue;
        if (::unlink(path.c_str()) != 0)
            log::warning("remove {}: {}", path, errno_text(errno));
    }
}

} // namespace facteur::queue
