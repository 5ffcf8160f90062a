#include "agent/mailbox.h"
#include "agent/mailbox_io.h"
#include "agent/thread_identity.h"
#include "base/log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>

namespace facteur::agent {

namespace {

std::atomic<unsigned> deliveries{0};

// A file of its own in tmp/; gone with this object unless it was moved on.
class TemporaryFile {
public:
    explicit TemporaryFile(std::string path) : path_(std::move(path)) {}
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;
    ~TemporaryFile()
    {
        if (fd_)
            ::unlink(path_.c_str());
    }
    bool create()
    {
        fd_.reset(::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
        return static_cast<bool>(fd_);
    }
    // Never over an existing file. Where the file system cannot say so, a link does.
    bool move_to(const std::string& path)
    {
        const bool moved = ::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) == 0;
        if (!moved && errno != EINVAL && errno != ENOSYS)
            return false;
        if (!moved && (::link(path_.c_str(), path.c_str()) != 0 || ::unlink(path_.c_str()) != 0))
            return false;
        path_ = path;
        return true;
    }
    // It stays.
    UniqueFd release() { return std::move(fd_); }
    [[nodiscard]] int fd() const { return fd_.get(); }
    [[nodiscard]] const std::string& path() const { return path_; }

private:
    std::string path_;
    UniqueFd fd_;
};

bool make_maildir(const std::string& directory)
{
    for (const std::string_view part : {"tmp/", "cur/", "new/"})
        if (!make_directories_above(directory + std::string(part)))
            return false;
    return true;
}

MaildirResult write_one(const std::string& directory, const MailboxMessage& message, const MailboxRules& rules)
{
    static const pid_t process = ::getpid();
    const auto now =
        std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
            .count();
    const auto seconds = now / 1'000'000;

    // Deliveries of one process run at the same time, so its number alone is no name.
    TemporaryFile file(fmt::format("{}tmp/{}.P{}Q{}.{}", directory, seconds, process, ++deliveries, rules.hostname));
    if (!file.create() && (errno != ENOENT || !make_maildir(directory) || !file.create())) {
        auto failed = failure(errno, "create maildir file " + file.path());
        failed.error().path = file.path();
        return failed;
    }
    struct stat status{};
    if (::fstat(file.fd(), &status) != 0)
        return failure(errno, "fstat " + file.path());
    if (rules.limit > 0 && message.head.size() + message.content.size > rules.limit)
        return std::unexpected(write_failure(EFBIG));
    if (const auto written = write_local_form(file.fd(), message, FromLines::keep, ""); !written)
        return std::unexpected(write_failure(written.error()));

    // Moved before it is flushed, so that one flush makes both its content and its place in new/ durable.
    const std::string name = fmt::format("{}new/{}.V{:x}I{:x}M{}.{}", directory, seconds, status.st_dev, status.st_ino,
                                         now % 1'000'000, rules.hostname);
    if (!file.move_to(name)) {
        if (errno != ENOENT || !make_maildir(directory) || !file.move_to(name))
            return failure(errno, fmt::format("create maildir file {}", name));
    }
    return MaildirFile{file.release(), status.st_dev, name};
}

} // namespace

std::vector<MaildirResult> write_to_maildir(const std::string& directory,
                                            std::span<const MailboxMessage* const> messages, const MailboxRules& rules,
                                            MailboxOwner owner)
{
    std::vector<MaildirResult> results;
    const ThreadIdentity identity(owner.uid, owner.gid);
    const int refused = identity.ok() ? 0 : errno;
    for (const MailboxMessage* message : messages)
        if (refused != 0)
            results.emplace_back(failure(refused, "cannot act as the recipient"));
        else
            results.push_back(write_one(directory, *message, rules));
    return results;
}

MailboxFailure take_back(const MaildirFile& file, MailboxOwner owner, int code)
{
    const ThreadIdentity identity(owner.uid, owner.gid);
    if (!identity.ok() || ::unlink(file.path.c_str()) != 0)
        log::warning("cannot take back {}: {}", file.path, errno_text(errno));
    return write_failure(code);
}

} // namespace facteur::agent
