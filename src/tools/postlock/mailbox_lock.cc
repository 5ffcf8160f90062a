#include "tools/postlock/mailbox_lock.h"

#include "base/text.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

namespace facteur::postlock {

namespace {

void pause(const LockRules& rules)
{
    ::usleep(static_cast<useconds_t>(rules.delay.count()) * 1000);
}

bool lock_descriptor(int fd, const LockRules& rules)
{
    if (rules.flock && ::flock(fd, LOCK_EX | LOCK_NB) != 0)
        return false;
    if (!rules.fcntl)
        return true;
    struct flock whole{};
    whole.l_type = F_WRLCK;
    whole.l_whence = SEEK_SET;
    return ::fcntl(fd, F_SETLK, &whole) == 0;
}

// A lock file that nobody has touched for long was left by a program that died.
void remove_stale(const std::string& path, const LockRules& rules)
{
    struct stat status{};
    const auto limit = std::chrono::duration_cast<std::chrono::seconds>(rules.stale).count();
    if (::stat(path.c_str(), &status) == 0 && std::time(nullptr) > status.st_ctime + limit)
        ::unlink(path.c_str());
}

std::expected<void, std::string> make_dotlock(const std::string& path, const LockRules& rules)
{
    for (long attempt = 0; attempt < rules.attempts; ++attempt) {
        if (const auto fd = open_file(path, O_WRONLY | O_EXCL | O_CREAT, 0); fd)
            return {};
        else if (fd.error().code != EEXIST)
            return std::unexpected(fmt::format("unable to create lock file {}: {}", path, errno_text(fd.error().code)));
        remove_stale(path, rules);
        if (attempt + 1 < rules.attempts)
            pause(rules);
    }
    return std::unexpected(fmt::format("unable to create lock file {}: {}", path, errno_text(EEXIST)));
}

} // namespace

std::expected<LockRules, std::string> parse_styles(std::string_view styles)
{
    LockRules rules;
    for (const auto word : text::split_list(styles)) {
        if (word == "fcntl")
            rules.fcntl = true;
        else if (word == "flock")
            rules.flock = true;
        else if (word == "dotlock")
            rules.dotlock = true;
        else
            return std::unexpected(fmt::format("unknown lock style name \"{}\" in \"{}\"", word, styles));
    }
    return rules;
}

std::expected<MailboxLock, std::string> MailboxLock::acquire(const std::string& path, const LockRules& rules)
{
    MailboxLock lock;
    auto fd = open_file(path, O_RDWR | O_APPEND | O_CREAT, 0600);
    if (!fd)
        return std::unexpected(fmt::format("open file {}: {}", path, errno_text(fd.error().code)));
    lock.fd_ = std::move(*fd);
    if (rules.dotlock) {
        if (auto made = make_dotlock(path + ".lock", rules); !made)
            return std::unexpected(made.error());
        lock.dotlock_ = path + ".lock";
    }
    for (long attempt = 0; attempt < rules.attempts; ++attempt) {
        if (lock_descriptor(lock.fd_.get(), rules))
            return lock;
        if (errno != EAGAIN && errno != EACCES && errno != EINTR)
            break;
        if (attempt + 1 < rules.attempts)
            pause(rules);
    }
    return std::unexpected(fmt::format("unable to lock for exclusive access: {}", errno_text(errno)));
}

MailboxLock::~MailboxLock()
{
    if (!dotlock_.empty())
        ::unlink(dotlock_.c_str());
}

} // namespace facteur::postlock
