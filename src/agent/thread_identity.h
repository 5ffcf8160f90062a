// Acting as a user in one thread only, so that deliveries to different users run side by side.
//
// The C library changes ids in all threads of a process at once; these calls go to the kernel, which knows ids by
// thread. A process that uses ThreadIdentity must therefore never use service::ActAs or seteuid(2) beside it.
#pragma once

#include <sys/types.h>

namespace facteur::agent {

class ThreadIdentity {
public:
    // Does nothing unless the process was started as root.
    ThreadIdentity(uid_t uid, gid_t gid);
    ~ThreadIdentity(); // aborts when the old ids cannot be had back
    ThreadIdentity(const ThreadIdentity&) = delete;
    ThreadIdentity& operator=(const ThreadIdentity&) = delete;
    [[nodiscard]] bool ok() const { return ok_; }

private:
    uid_t old_uid_;
    gid_t old_gid_;
    bool switched_ = false;
    bool ok_ = true;
};

} // namespace facteur::agent
