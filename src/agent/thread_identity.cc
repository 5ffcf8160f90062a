#include "agent/thread_identity.h"

#include "base/error.h"
#include "base/log.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace facteur::agent {

namespace {

constexpr uid_t kSame = static_cast<uid_t>(-1);

// Groups can be changed by root only: become root first, the user last.
bool become(uid_t uid, gid_t gid)
{
    return ::syscall(SYS_setresuid, kSame, 0, kSame) == 0 && ::syscall(SYS_setresgid, kSame, gid, kSame) == 0 &&
           ::syscall(SYS_setgroups, 1, &gid) == 0 && ::syscall(SYS_setresuid, kSame, uid, kSame) == 0;
}

} // namespace

ThreadIdentity::ThreadIdentity(uid_t uid, gid_t gid) : old_uid_(::geteuid()), old_gid_(::getegid())
{
    if (::getuid() != 0)
        return;
    switched_ = true;
    ok_ = become(uid, gid);
}

ThreadIdentity::~ThreadIdentity()
{
    if (switched_ && !become(old_uid_, old_gid_))
        log::panic("cannot switch back to uid {} gid {}: {}", old_uid_, old_gid_, errno_text(errno));
}

} // namespace facteur::agent
