#include "agent/mailbox.h"

#include "agent/local_form.h"
#include "agent/mailbox_io.h"
#include "agent/thread_identity.h"
#include "base/log.h"
#include "base/text.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

namespace facteur::agent {

namespace {

std::unexpected<MailboxFailure> busy(std::string_view what, int code)
{
    return std::unexpected(MailboxFailure{
        .status = "4.2.0", .reason = fmt::format("{}: {}", what, errno_text(code)), .busy = true, .code = code});
}

// path.lock, for programs that do not lock the file itself. Removed by the destructor.
class DotLock {
public:
    DotLock() = default;
    DotLock(const DotLock&) = delete;
    DotLock& operator=(const DotLock&) = delete;
    ~DotLock()
    {
        if (!path_.empty())
            ::unlink(path_.c_str());
    }

    MailboxResult take(const std::string& mailbox, const MailboxRules& rules)
    {
        const std::string path = mailbox + ".lock";
        for (bool again = true;; again = false) {
            const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0));
            if (file) {
                path_ = path;
                return {};
            }
            // A directory that lets no lock file be made is fine where the file itself is locked.
            if (errno != EEXIST && (rules.locks.fcntl || rules.locks.flock))
                return {};
            if (errno != EEXIST)
                return failure(errno, "unable to create lock file " + path);
            if (!again || !stale(path, rules))
                return busy("unable to create lock file " + path, EEXIST);
            ::unlink(path.c_str());
        }
    }

private:
    static bool stale(const std::string& path, const MailboxRules& rules)
    {
        struct stat status{};
        return ::stat(path.c_str(), &status) == 0 && status.st_mtime + rules.stale_lock_seconds < std::time(nullptr);
    }
    std::string path_;
};

// Kernel locks go with the descriptor. Open-file-description locks hold between threads too, and respect what other
// programs lock with fcntl(2).
MailboxResult lock_file(int fd, const MailboxLocks& locks)
{
    if (locks.flock && ::flock(fd, LOCK_EX | LOCK_NB) != 0)
        return busy("unable to lock for exclusive access", errno);
    struct flock whole{};
    whole.l_type = F_WRLCK;
    whole.l_whence = SEEK_SET;
    if (locks.fcntl && ::fcntl(fd, F_OFD_SETLK, &whole) != 0)
        return busy("unable to lock for exclusive access", errno);
    return {};
}

// A symbolic link may be followed when only root could have made it.
bool deceptive_link(const std::string& path)
{
    struct stat status{};
    return ::lstat(path.c_str(), &status) == 0 && S_ISLNK(status.st_mode) && status.st_uid != 0;
}

MailboxResult check_mailbox(const struct stat& status, const std::string& path, const MailboxRules& rules,
                            MailboxOwner owner)
{
    const auto refuse = [&](std::string reason, std::string_view code = "5.2.0") {
        return std::unexpected(MailboxFailure{.status = std::string(code), .reason = std::move(reason)});
    };
    if (!S_ISREG(status.st_mode))
        return refuse(fmt::format("destination {} is not a regular file", path));
    if (status.st_nlink > 1)
        return refuse(fmt::format("file has {} hard links", status.st_nlink), "4.2.0");
    if (rules.strict_ownership && ::getuid() == 0 && status.st_uid != owner.uid)
        return refuse(fmt::format("destination {} is not owned by recipient", path), "4.2.0");
    return {};
}

// Empty with errno when it cannot be had.
UniqueFd open_mailbox(const std::string& path, MailboxOwner owner, bool give_away)
{
    constexpr int kFlags = O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    UniqueFd file(::open(path.c_str(), kFlags));
    if (file || errno != ENOENT)
        return file;
    const auto create = [&] { file.reset(::open(path.c_str(), kFlags | O_CREAT | O_EXCL, 0600)); };
    create();
    if (!file && errno == ENOENT && make_directories_above(path))
        create();
    if (!file && errno == EEXIST) {
        file.reset(::open(path.c_str(), kFlags)); // another program was faster
        return file;
    }
    if (file && give_away && ::getuid() == 0 && ::fchown(file.get(), owner.uid, static_cast<gid_t>(-1)) != 0)
        file.reset();
    return file;
}

// A message that did not go in whole leaves no trace.
MailboxResult append_whole(int fd, off_t old_size, const MailboxMessage& message, const MailboxRules& rules)
{
    if (rules.limit > 0 &&
        static_cast<std::uint64_t>(old_size) + message.head.size() + message.content.size > rules.limit)
        return std::unexpected(write_failure(EFBIG));
    auto written = write_local_form(fd, message, FromLines::quote, "\n");
    if (written && ::fsync(fd) != 0)
        written = std::unexpected(errno);
    if (written)
        return {};
    if (::ftruncate(fd, old_size) != 0)
        log::warning("cannot take back part of a message: {}", errno_text(errno));
    return std::unexpected(write_failure(written.error()));
}

} // namespace

std::string mailbox_status(int code, std::string_view otherwise)
{
    switch (code) {
    case EAGAIN:
    case ESTALE:
        return "4.2.0";
    case ENOSPC:
        return "4.3.0";
    case EDQUOT:
    case EFBIG:
        return "5.2.2";
    default:
        return std::string(otherwise);
    }
}

std::expected<MailboxLocks, std::string> MailboxLocks::parse(std::string_view list)
{
    MailboxLocks out;
    for (const std::string_view word : text::split_list(list)) {
        if (text::iequals(word, "fcntl"))
            out.fcntl = true;
        else if (text::iequals(word, "flock"))
            out.flock = true;
        else if (text::iequals(word, "dotlock"))
            out.dotlock = true;
        else
            return std::unexpected(fmt::format("unknown mailbox locking method \"{}\" in \"{}\"", word, list));
    }
    if (!out.fcntl && !out.flock && !out.dotlock)
        return std::unexpected(std::string("no applicable mailbox locking method"));
    return out;
}

MailboxMessage mailbox_message(const Delivery& delivery, int index, std::string_view from_line)
{
    const queue::Recipient& recipient = delivery.recipient(index);
    MailboxMessage out;
    out.head = from_line;
    out.head += delivery_headers(delivery.envelope().sender(), recipient.original(), recipient.address());
    out.content = delivery.content();
    return out;
}

MailboxResult append_to_mailbox(const std::string& path, const MailboxMessage& message, const MailboxRules& rules,
                                MailboxOwner owner, std::optional<MailboxOwner> spool)
{
    const MailboxOwner opener = spool.value_or(owner);
    const ThreadIdentity identity(opener.uid, opener.gid);
    if (!identity.ok())
        return failure(errno, "cannot act as the recipient", "4.3.5");
    if (deceptive_link(path))
        return failure(EPERM, fmt::format("destination {} is a symbolic link", path));
    DotLock dot_lock;
    if (rules.locks.dotlock)
        if (const auto taken = dot_lock.take(path, rules); !taken)
            return taken;
    const UniqueFd file = open_mailbox(path, owner, opener.uid != owner.uid);
    struct stat status{};
    if (!file || ::fstat(file.get(), &status) != 0)
        return failure(errno, "cannot open file");
    if (const auto good = check_mailbox(status, path, rules, owner); !good)
        return good;

    const ThreadIdentity writer(owner.uid, owner.gid);
    if (!writer.ok())
        return failure(errno, "cannot act as the recipient", "4.3.5");
    if (const auto locked = lock_file(file.get(), rules.locks); !locked)
        return locked;
    // Its size as of the lock.
    if (::fstat(file.get(), &status) != 0)
        return failure(errno, "cannot open file");
    return append_whole(file.get(), status.st_size, message, rules);
}

} // namespace facteur::agent
