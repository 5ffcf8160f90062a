#include "service/reload_report.h"

#include "base/fd.h"
#include "base/text.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace facteur::service {

namespace {

std::string path_in(const std::string& queue_directory)
{
    return queue_directory + "/" + std::string(kReloadReportFile);
}

} // namespace

std::string format_reload_report(const ReloadReport& report)
{
    std::string out = report.outcome == ReloadOutcome::accepted ? "accepted\n" : "refused\n";
    for (const std::string& line : report.lines)
        out += text::printable(line, text::Utf8::allow) + "\n";
    return out;
}

std::optional<ReloadReport> parse_reload_report(std::string_view content)
{
    const auto lines = text::split(content, "\n");
    if (lines.empty() || (lines[0] != "accepted" && lines[0] != "refused"))
        return std::nullopt;
    ReloadReport report;
    report.outcome = lines[0] == "accepted" ? ReloadOutcome::accepted : ReloadOutcome::refused;
    report.lines.assign(lines.begin() + 1, lines.end());
    return report;
}

std::expected<void, SystemError> write_reload_report(const ReloadReport& report)
{
    const std::string path(kReloadReportFile);
    const std::string unfinished = path + ".new";
    auto file = open_file(unfinished, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0644);
    if (!file)
        return std::unexpected(file.error());
    if (auto written = write_all(file->get(), format_reload_report(report), unfinished); !written)
        return written;
    if (::rename(unfinished.c_str(), path.c_str()) != 0)
        return std::unexpected(SystemError{"rename", path, errno});
    return {};
}

void forget_reload_report(const std::string& queue_directory)
{
    ::unlink(path_in(queue_directory).c_str());
}

std::optional<ReloadReport> await_reload_report(const std::string& queue_directory, std::chrono::milliseconds patience)
{
    constexpr std::chrono::milliseconds kStep{20};
    for (auto waited = std::chrono::milliseconds(0); waited < patience; waited += kStep) {
        if (const auto content = read_file(path_in(queue_directory)))
            return parse_reload_report(*content);
        ::usleep(static_cast<useconds_t>(std::chrono::microseconds(kStep).count()));
    }
    return std::nullopt;
}

} // namespace facteur::service
