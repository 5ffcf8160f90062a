#include "daemons/postlogd/log_file.h"

#include "base/text.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace facteur::postlogd {

std::expected<LogFile, SystemError> LogFile::open(const std::string& path, unsigned mode)
{
    if (path == "/dev/stdout") {
        // What master left open for us; the name itself may lead to a terminal that is not ours.
        UniqueFd fd(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
        if (!fd)
            return std::unexpected(SystemError::last("open", path));
        return LogFile(std::move(fd), path);
    }
    auto fd = open_file(path, O_WRONLY | O_APPEND | O_CREAT, mode);
    if (!fd)
        return std::unexpected(fd.error());
    return LogFile(std::move(*fd), path);
}

std::expected<void, SystemError> LogFile::append(std::string_view lines) const
{
    return write_all(fd_.get(), lines, path_);
}

bool LogFile::was_moved() const
{
    if (path_.starts_with("/dev/"))
        return false;
    struct stat named{};
    struct stat opened{};
    if (::fstat(fd_.get(), &opened) != 0)
        return true;
    return ::stat(path_.c_str(), &named) != 0 || named.st_ino != opened.st_ino || named.st_dev != opened.st_dev;
}

std::string sanitize(std::string_view lines)
{
    std::string out;
    out.reserve(lines.size() + 1);
    for (const auto line : text::split(lines, "\n")) {
        out += text::printable(line, text::Utf8::allow);
        out += '\n';
    }
    return out;
}

} // namespace facteur::postlogd
