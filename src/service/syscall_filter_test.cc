#include "service/syscall_filter.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

using namespace facteur::service;

// In a process of its own: the filter is for good.
TEST(SyscallFilter, RefusesToRunProgramsInEveryThread)
{
    const pid_t pid = ::fork();
    if (pid == 0) {
        int elsewhere = 0;
        bool go = false;
        std::thread other([&] {
            while (!__atomic_load_n(&go, __ATOMIC_ACQUIRE))
                std::this_thread::yield();
            ::execl("/bin/true", "true", nullptr);
            elsewhere = errno;
        });
        const bool done = give_up_dangerous_calls().has_value();
        __atomic_store_n(&go, true, __ATOMIC_RELEASE);
        other.join();
        ::execl("/bin/true", "true", nullptr);
        const bool refused = errno == EPERM && elsewhere == EPERM;
        const bool works = ::write(STDERR_FILENO, "", 0) == 0;
        ::_exit(done && refused && works ? 7 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(pid, &status, 0), pid);
    EXPECT_EQ(WEXITSTATUS(status), 7);
}
