// A clock that a test moves: a preloaded library that adds to the wall clock of a program what a shared file says. The
// monotonic clock goes on as it was, and so do the kernel's own stamps on files.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>

namespace {

const std::atomic<std::int64_t>* shift = nullptr; // seconds

std::int64_t shifted()
{
    return shift ? shift->load(std::memory_order_relaxed) : 0;
}

int clock_now(clockid_t clock, timespec* now)
{
    const auto result = static_cast<int>(::syscall(SYS_clock_gettime, clock, now));
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += shifted();
    return result;
}

// "Now" is what our clock says.
const timespec* explicit_times(const timespec* given, timespec (&made)[2])
{
    for (int i = 0; i < 2; ++i) {
        if (given && given[i].tv_nsec != UTIME_NOW)
            made[i] = given[i];
        else
            clock_now(CLOCK_REALTIME, &made[i]);
    }
    return made;
}

__attribute__((constructor)) void begin()
{
    const char* const path = std::getenv("CLOCK_SHIFT");
    const int fd = path ? ::open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void* const mapped = ::mmap(nullptr, sizeof *shift, PROT_READ, MAP_SHARED, fd, 0);
    ::close(fd);
    if (mapped != MAP_FAILED)
        shift = static_cast<const std::atomic<std::int64_t>*>(mapped);
}

} // namespace

extern "C" {

#define EXPORTED __attribute__((visibility("default")))

EXPORTED int clock_gettime(clockid_t clock, timespec* now) noexcept
{
    return clock_now(clock, now);
}

EXPORTED time_t time(time_t* out) noexcept
{
    timespec now{};
    clock_now(CLOCK_REALTIME, &now);
    if (out)
        *out = now.tv_sec;
    return now.tv_sec;
}

EXPORTED int gettimeofday(timeval* out, void*) noexcept
{
    timespec now{};
    const int result = clock_now(CLOCK_REALTIME, &now);
    *out = {now.tv_sec, now.tv_nsec / 1000};
    return result;
}

EXPORTED int utimensat(int at, const char* path, const timespec times[2], int flags) noexcept
{
    timespec made[2];
    return static_cast<int>(::syscall(SYS_utimensat, at, path, explicit_times(times, made), flags));
}

EXPORTED int futimens(int fd, const timespec times[2]) noexcept
{
    timespec made[2];
    return static_cast<int>(::syscall(SYS_utimensat, fd, nullptr, explicit_times(times, made), 0));
}

} // extern "C"
