// What a program does to files and what it flushes, written down in the order in which it happened: a preloaded
// library, for tests alone. All programs of an instance share one log, so a prefix of it is what had happened at one
// moment, and disk.py makes from it what a power failure at that moment may leave.
//
// The log is a file mapped by every process: a lock, the place where the next record goes, the records. A change is
// made and logged under the lock. A flush is logged twice, before and after: what was logged before its beginning is
// durable from its end on. Directories and files are named by inode number; who reads the log knows which ones matter.
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace {

enum class Kind : std::uint32_t {
    create = 1,
    make_directory,
    link,
    rename,
    unlink,
    remove_directory,
    write,
    zeros, // a write of nothing but zeros: only its length is logged
    truncate,
    mode,
    time,
    flush_begin,
    flush_end, // offset: the place of its beginning
    unknown,   // a change that the reader has no model for
};

// How much a flush covers.
enum class Depth : std::uint32_t { data = 1, file = 2, file_system = 3 };

struct Log {
    std::atomic<std::uint64_t> place; // where the next record goes; also the time that acknowledgements are compared by
    std::atomic<std::uint32_t> lock;
};

struct Record {
    std::uint32_t size; // of everything, a multiple of 8
    Kind kind;
    std::uint64_t inode;
    std::uint64_t directory;
    std::uint64_t other_directory; // of a rename's target
    std::uint64_t offset;          // of a write; what a flush began with
    std::uint64_t length;          // of a write, a file; or a mode, a time in seconds, a Depth
    std::uint64_t when;            // monotonic ns
    std::uint32_t uid;
    std::uint32_t gid;
    std::uint32_t name_size;
    std::uint32_t other_name_size;
};
static_assert(sizeof(Record) == 72);

constexpr std::size_t kFirst = 4096;
constexpr std::size_t kCapacity = std::size_t{2} << 30;

Log* shared = nullptr;
char* bytes = nullptr;

template <typename... Args>
long raw(long number, Args... args)
{
    return ::syscall(number, args...);
}

class Locked {
public:
    Locked()
    {
        while (shared && shared->lock.exchange(1, std::memory_order_acquire) != 0)
            ::sched_yield();
    }
    ~Locked()
    {
        const int kept = errno;
        if (shared)
            shared->lock.store(0, std::memory_order_release);
        errno = kept;
    }
    Locked(const Locked&) = delete;
    Locked& operator=(const Locked&) = delete;
};

// Under the lock. Returns the place of the record.
std::uint64_t put(Record record, std::string_view name = {}, std::string_view other_name = {},
                  std::string_view data = {})
{
    const std::size_t size = (sizeof record + name.size() + other_name.size() + data.size() + 7) / 8 * 8;
    const std::uint64_t at = shared->place.load();
    if (at + size > kCapacity)
        ::abort();
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    record.when = static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
    record.size = static_cast<std::uint32_t>(size);
    record.name_size = static_cast<std::uint32_t>(name.size());
    record.other_name_size = static_cast<std::uint32_t>(other_name.size());
    char* out = bytes + at;
    std::memcpy(out, &record, sizeof record);
    out += sizeof record;
    for (const auto part : {name, other_name, data}) {
        if (!part.empty())
            std::memcpy(out, part.data(), part.size());
        out += part.size();
    }
    shared->place.store(at + size);
    return at;
}

// A directory entry: the directory's inode and the name in it.
struct Entry {
    std::uint64_t directory = 0;
    std::string name;
};

Entry entry_of(int at, const char* path)
{
    const std::string_view text(path);
    const auto slash = text.rfind('/');
    const std::string parent = slash == text.npos ? "." : slash == 0 ? "/" : std::string(text.substr(0, slash));
    struct stat status{};
    if (::fstatat(at, parent.c_str(), &status, 0) != 0)
        return {};
    return {status.st_ino, std::string(slash == text.npos ? text : text.substr(slash + 1))};
}

struct stat status_of(int at, const char* path)
{
    struct stat status{};
    if (::fstatat(at, path, &status, AT_SYMLINK_NOFOLLOW) != 0)
        status.st_ino = 0;
    return status;
}

bool regular(int fd, struct stat& status)
{
    const int kept = errno;
    const bool is = shared && ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
    errno = kept;
    return is;
}

Record about(Kind kind, const struct stat& status)
{
    Record record{};
    record.kind = kind;
    record.inode = status.st_ino;
    record.uid = status.st_uid;
    record.gid = status.st_gid;
    return record;
}

void log_flush_end(const struct stat& status, Depth depth, std::uint64_t begun)
{
    const Locked locked;
    Record record = about(Kind::flush_end, status);
    record.offset = begun;
    record.length = static_cast<std::uint64_t>(depth);
    put(record);
}

int flush(int fd, long call, Depth depth)
{
    struct stat status{};
    if (!shared || ::fstat(fd, &status) != 0)
        return static_cast<int>(raw(call, fd));
    std::uint64_t begun = 0;
    {
        const Locked locked;
        Record record = about(Kind::flush_begin, status);
        record.length = static_cast<std::uint64_t>(depth);
        begun = put(record);
    }
    const auto result = static_cast<int>(raw(call, fd));
    const int kept = errno;
    if (result == 0)
        log_flush_end(status, depth, begun);
    errno = kept;
    return result;
}

void log_unknown(int fd)
{
    struct stat status{};
    if (regular(fd, status)) {
        const Locked locked;
        put(about(Kind::unknown, status));
    }
}

void log_write(const struct stat& status, std::uint64_t offset, std::string_view data)
{
    const bool zeros = data.size() >= 4096 && std::ranges::all_of(data, [](char c) { return c == '\0'; });
    Record record = about(zeros ? Kind::zeros : Kind::write, status);
    record.offset = offset;
    record.length = data.size();
    put(record, {}, {}, zeros ? std::string_view{} : data);
}

// Opened so that each write is durable when it returns.
void log_synchronous(int fd, const struct stat& status)
{
    const long flags = raw(SYS_fcntl, fd, F_GETFL);
    if (flags < 0 || (flags & O_DSYNC) == 0)
        return;
    Record record = about(Kind::flush_end, status);
    record.offset = shared->place.load();
    record.length = static_cast<std::uint64_t>((flags & O_SYNC) == O_SYNC ? Depth::file : Depth::data);
    put(record);
}

constexpr off_t kHere = -1;

ssize_t write_at(int fd, const void* data, std::size_t size, off_t offset)
{
    struct stat status{};
    const auto write = [&] {
        return offset == kHere ? raw(SYS_write, fd, data, size) : raw(SYS_pwrite64, fd, data, size, offset);
    };
    if (!regular(fd, status))
        return write();
    const Locked locked;
    ::fstat(fd, &status);
    off_t at = offset;
    if ((raw(SYS_fcntl, fd, F_GETFL) & O_APPEND) != 0)
        at = status.st_size;
    else if (offset == kHere)
        at = ::lseek(fd, 0, SEEK_CUR);
    const ssize_t done = write();
    if (done > 0) {
        log_write(status, static_cast<std::uint64_t>(at),
                  {static_cast<const char*>(data), static_cast<std::size_t>(done)});
        log_synchronous(fd, status);
    }
    return done;
}

std::string joined(const iovec* parts, int count)
{
    std::string out;
    for (int i = 0; i < count; ++i)
        out.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
    return out;
}

int open_at(int at, const char* path, int flags, mode_t mode)
{
    const auto open = [&] { return static_cast<int>(raw(SYS_openat, at, path, flags, mode)); };
    if (!shared || (flags & (O_CREAT | O_TRUNC)) == 0)
        return open();
    const Locked locked;
    const bool existed = ::faccessat(at, path, F_OK, 0) == 0;
    const int fd = open();
    const int kept = errno;
    struct stat status{};
    if (regular(fd, status)) {
        if (!existed) {
            const Entry entry = entry_of(at, path);
            Record record = about(Kind::create, status);
            record.directory = entry.directory;
            record.length = status.st_mode & 07777;
            put(record, entry.name);
        } else if ((flags & O_TRUNC) != 0) {
            put(about(Kind::truncate, status));
        }
    }
    errno = kept;
    return fd;
}

int rename_at(int from_at, const char* from, int to_at, const char* to, unsigned flags)
{
    const auto rename = [&] { return static_cast<int>(raw(SYS_renameat2, from_at, from, to_at, to, flags)); };
    if (!shared)
        return rename();
    const Locked locked;
    const struct stat status = status_of(from_at, from);
    const Entry old_entry = entry_of(from_at, from);
    const int result = rename();
    if (result == 0) {
        const Entry new_entry = entry_of(to_at, to);
        Record record = about((flags & RENAME_EXCHANGE) != 0 ? Kind::unknown : Kind::rename, status);
        record.directory = old_entry.directory;
        record.other_directory = new_entry.directory;
        put(record, old_entry.name, new_entry.name);
    }
    return result;
}

int remove_at(int at, const char* path, int flags)
{
    if (!shared)
        return static_cast<int>(raw(SYS_unlinkat, at, path, flags));
    const Locked locked;
    const struct stat status = status_of(at, path);
    const auto result = static_cast<int>(raw(SYS_unlinkat, at, path, flags));
    if (result == 0) {
        const Entry entry = entry_of(at, path);
        Record record = about((flags & AT_REMOVEDIR) != 0 ? Kind::remove_directory : Kind::unlink, status);
        record.directory = entry.directory;
        put(record, entry.name);
    }
    return result;
}

int make_directory_at(int at, const char* path, mode_t mode)
{
    if (!shared)
        return static_cast<int>(raw(SYS_mkdirat, at, path, mode));
    const Locked locked;
    const auto result = static_cast<int>(raw(SYS_mkdirat, at, path, mode));
    if (result == 0) {
        const struct stat status = status_of(at, path);
        const Entry entry = entry_of(at, path);
        Record record = about(Kind::make_directory, status);
        record.directory = entry.directory;
        record.length = status.st_mode & 07777;
        put(record, entry.name);
    }
    return result;
}

int link_at(int from_at, const char* from, int to_at, const char* to, int flags)
{
    if (!shared)
        return static_cast<int>(raw(SYS_linkat, from_at, from, to_at, to, flags));
    const Locked locked;
    const auto result = static_cast<int>(raw(SYS_linkat, from_at, from, to_at, to, flags));
    if (result == 0) {
        const Entry entry = entry_of(to_at, to);
        Record record = about(Kind::link, status_of(to_at, to));
        record.directory = entry.directory;
        put(record, entry.name);
    }
    return result;
}

// After a call that changed what stat(2) says: the new mode, or the new time.
int noted(long result, Kind kind, const struct stat& status)
{
    if (result == 0 && status.st_ino != 0) {
        Record record = about(kind, status);
        record.length = kind == Kind::mode ? status.st_mode & 07777 : static_cast<std::uint64_t>(status.st_mtim.tv_sec);
        put(record);
    }
    return static_cast<int>(result);
}

struct stat status_now(int fd)
{
    struct stat status{};
    if (::fstat(fd, &status) != 0)
        status.st_ino = 0;
    return status;
}

__attribute__((constructor)) void begin()
{
    const char* const path = std::getenv("POWER_LOG");
    if (!path)
        return;
    const auto fd = static_cast<int>(raw(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0));
    if (fd < 0)
        return;
    void* const mapped = ::mmap(nullptr, kCapacity, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    raw(SYS_close, fd);
    if (mapped == MAP_FAILED)
        return;
    bytes = static_cast<char*>(mapped);
    std::uint64_t fresh = 0;
    reinterpret_cast<Log*>(bytes)->place.compare_exchange_strong(fresh, kFirst);
    shared = reinterpret_cast<Log*>(bytes);
}

} // namespace

extern "C" {

#define EXPORTED __attribute__((visibility("default")))

EXPORTED int open(const char* path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return open_at(AT_FDCWD, path, flags, mode);
}

EXPORTED int open64(const char* path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return open_at(AT_FDCWD, path, flags, mode);
}

EXPORTED int openat(int at, const char* path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return open_at(at, path, flags, mode);
}

EXPORTED int creat(const char* path, mode_t mode)
{
    return open_at(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

EXPORTED ssize_t write(int fd, const void* data, size_t size)
{
    return write_at(fd, data, size, kHere);
}

EXPORTED ssize_t pwrite(int fd, const void* data, size_t size, off_t offset)
{
    return write_at(fd, data, size, offset);
}

EXPORTED ssize_t pwrite64(int fd, const void* data, size_t size, off_t offset)
{
    return write_at(fd, data, size, offset);
}

EXPORTED ssize_t writev(int fd, const iovec* parts, int count)
{
    struct stat status{};
    if (!regular(fd, status))
        return raw(SYS_writev, fd, parts, count);
    const std::string data = joined(parts, count);
    return write_at(fd, data.data(), data.size(), kHere);
}

EXPORTED ssize_t pwritev(int fd, const iovec* parts, int count, off_t offset)
{
    const std::string data = joined(parts, count);
    return write_at(fd, data.data(), data.size(), offset);
}

EXPORTED ssize_t pwritev2(int fd, const iovec* parts, int count, off_t offset, int flags)
{
    const ssize_t done = offset < 0 ? writev(fd, parts, count) : pwritev(fd, parts, count, offset);
    if (done > 0 && (flags & (RWF_DSYNC | RWF_SYNC)) != 0 && flush(fd, SYS_fdatasync, Depth::data) != 0)
        return -1;
    return done;
}

EXPORTED ssize_t sendfile(int out, int in, off_t* offset, size_t count)
{
    const ssize_t done = raw(SYS_sendfile, out, in, offset, count);
    if (done > 0)
        log_unknown(out);
    return done;
}

EXPORTED ssize_t copy_file_range(int in, off64_t* in_offset, int out, off64_t* out_offset, size_t count, unsigned flags)
{
    const ssize_t done = raw(SYS_copy_file_range, in, in_offset, out, out_offset, count, flags);
    if (done > 0)
        log_unknown(out);
    return done;
}

EXPORTED int ftruncate(int fd, off_t size)
{
    struct stat status{};
    if (!regular(fd, status))
        return static_cast<int>(raw(SYS_ftruncate, fd, size));
    const Locked locked;
    const auto result = static_cast<int>(raw(SYS_ftruncate, fd, size));
    if (result == 0) {
        Record record = about(Kind::truncate, status);
        record.length = static_cast<std::uint64_t>(size);
        put(record);
    }
    return result;
}

// Space and, unless the mode keeps it, the size: what reads as zeros.
EXPORTED int fallocate(int fd, int mode, off_t offset, off_t size)
{
    struct stat status{};
    if (!regular(fd, status))
        return static_cast<int>(raw(SYS_fallocate, fd, mode, offset, size));
    const Locked locked;
    const auto result = static_cast<int>(raw(SYS_fallocate, fd, mode, offset, size));
    if (result == 0 && (mode & ~FALLOC_FL_KEEP_SIZE) != 0) {
        put(about(Kind::unknown, status));
    } else if (result == 0 && (mode & FALLOC_FL_KEEP_SIZE) == 0 && offset + size > status.st_size) {
        Record record = about(Kind::truncate, status);
        record.length = static_cast<std::uint64_t>(offset + size);
        put(record);
    }
    return result;
}

EXPORTED int posix_fallocate(int fd, off_t offset, off_t size)
{
    return fallocate(fd, 0, offset, size) == 0 ? 0 : errno;
}

EXPORTED int rename(const char* from, const char* to)
{
    return rename_at(AT_FDCWD, from, AT_FDCWD, to, 0);
}

EXPORTED int renameat(int from_at, const char* from, int to_at, const char* to)
{
    return rename_at(from_at, from, to_at, to, 0);
}

EXPORTED int renameat2(int from_at, const char* from, int to_at, const char* to, unsigned flags)
{
    return rename_at(from_at, from, to_at, to, flags);
}

EXPORTED int link(const char* from, const char* to)
{
    return link_at(AT_FDCWD, from, AT_FDCWD, to, 0);
}

EXPORTED int linkat(int from_at, const char* from, int to_at, const char* to, int flags)
{
    return link_at(from_at, from, to_at, to, flags);
}

EXPORTED int unlink(const char* path)
{
    return remove_at(AT_FDCWD, path, 0);
}

EXPORTED int unlinkat(int at, const char* path, int flags)
{
    return remove_at(at, path, flags);
}

EXPORTED int rmdir(const char* path)
{
    return remove_at(AT_FDCWD, path, AT_REMOVEDIR);
}

EXPORTED int mkdir(const char* path, mode_t mode)
{
    return make_directory_at(AT_FDCWD, path, mode);
}

EXPORTED int mkdirat(int at, const char* path, mode_t mode)
{
    return make_directory_at(at, path, mode);
}

EXPORTED int fchmod(int fd, mode_t mode)
{
    if (!shared)
        return static_cast<int>(raw(SYS_fchmod, fd, mode));
    const Locked locked;
    const long result = raw(SYS_fchmod, fd, mode);
    return noted(result, Kind::mode, status_now(fd));
}

EXPORTED int chmod(const char* path, mode_t mode)
{
    if (!shared)
        return static_cast<int>(raw(SYS_fchmodat, AT_FDCWD, path, mode));
    const Locked locked;
    const long result = raw(SYS_fchmodat, AT_FDCWD, path, mode);
    return noted(result, Kind::mode, status_of(AT_FDCWD, path));
}

EXPORTED int utimensat(int at, const char* path, const timespec times[2], int flags)
{
    if (!shared)
        return static_cast<int>(raw(SYS_utimensat, at, path, times, flags));
    const Locked locked;
    const long result = raw(SYS_utimensat, at, path, times, flags);
    return noted(result, Kind::time, status_of(at, path));
}

EXPORTED int futimens(int fd, const timespec times[2])
{
    if (!shared)
        return static_cast<int>(raw(SYS_utimensat, fd, nullptr, times, 0));
    const Locked locked;
    const long result = raw(SYS_utimensat, fd, nullptr, times, 0);
    return noted(result, Kind::time, status_now(fd));
}

EXPORTED int fsync(int fd)
{
    return flush(fd, SYS_fsync, Depth::file);
}

EXPORTED int fdatasync(int fd)
{
    return flush(fd, SYS_fdatasync, Depth::data);
}

EXPORTED int syncfs(int fd)
{
    return flush(fd, SYS_syncfs, Depth::file_system);
}

} // extern "C"
