#include "service/syscall_filter.h"

#include <seccomp.h>

#include <array>
#include <cerrno>
#include <memory>

namespace facteur::service {

namespace {

constexpr auto kRefused = std::to_array<int>({
    // other programs
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
    // other identities, other views of the file system
    SCMP_SYS(setuid),
    SCMP_SYS(setgid),
    SCMP_SYS(setreuid),
    SCMP_SYS(setregid),
    SCMP_SYS(setresuid),
    SCMP_SYS(setresgid),
    SCMP_SYS(setfsuid),
    SCMP_SYS(setfsgid),
    SCMP_SYS(setgroups),
    SCMP_SYS(capset),
    SCMP_SYS(chroot),
    SCMP_SYS(pivot_root),
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(unshare),
    SCMP_SYS(setns),
    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(fsopen),
    SCMP_SYS(fsmount),
    SCMP_SYS(move_mount),
    SCMP_SYS(open_tree),
    SCMP_SYS(mknod),
    SCMP_SYS(mknodat),
    // other processes
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(kcmp),
    SCMP_SYS(pidfd_getfd),
    // the kernel
    SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load),
    SCMP_SYS(reboot),
    SCMP_SYS(swapon),
    SCMP_SYS(swapoff),
    SCMP_SYS(acct),
    SCMP_SYS(iopl),
    SCMP_SYS(ioperm),
    SCMP_SYS(personality),
    SCMP_SYS(add_key),
    SCMP_SYS(keyctl),
    SCMP_SYS(request_key),
    SCMP_SYS(settimeofday),
    SCMP_SYS(clock_settime),
    SCMP_SYS(sethostname),
    SCMP_SYS(setdomainname),
    SCMP_SYS(syslog),
    SCMP_SYS(vhangup),
    SCMP_SYS(quotactl),
});

struct Release {
    void operator()(void* filter) const { ::seccomp_release(filter); }
};

SystemError failed(int code)
{
    return {"seccomp", "filter", -code};
}

} // namespace

std::expected<void, SystemError> give_up_dangerous_calls()
{
    const std::unique_ptr<void, Release> filter(::seccomp_init(SCMP_ACT_ALLOW));
    if (!filter)
        return std::unexpected(failed(-ENOMEM));
    // The threads of the worker pool run already.
    if (const int code = ::seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1); code < 0)
        return std::unexpected(failed(code));
    for (const int call : kRefused)
        // A call that this architecture does not have needs no rule.
        if (const int code = ::seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), call, 0);
            code < 0 && code != -EDOM && code != -EINVAL)
            return std::unexpected(failed(code));
    if (const int code = ::seccomp_load(filter.get()); code < 0)
        return std::unexpected(failed(code));
    return {};
}

} // namespace facteur::service
