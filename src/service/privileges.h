// Changing who a process is. Every function fails loudly: running with the wrong rights is never a way to go on.
#pragma once

#include <sys/types.h>

#include <expected>
#include <optional>
#include <string>

namespace facteur::service {

struct Account {
    std::string name;
    uid_t uid = 0;
    gid_t gid = 0;
    std::string home;
    std::string shell;
};
// By name, or by a number that names an existing account. Nothing: no such account.
std::optional<Account> find_account(const std::string& name);
std::optional<gid_t> find_group(const std::string& name);

// chroot(2) to `directory` (the current directory becomes it) when asked, then give up root for good.
std::expected<void, std::string> jail(const std::string& directory, bool chroot, const std::optional<Account>& become);

// Effective ids only, for agents that act as several users (local, virtual, pipe). Restored by the destructor; aborts
// when that fails. Does nothing when the process is not root.
class ActAs {
public:
    ActAs(uid_t uid, gid_t gid);
    ~ActAs();
    ActAs(const ActAs&) = delete;
    ActAs& operator=(const ActAs&) = delete;
    [[nodiscard]] bool ok() const { return ok_; }

private:
    uid_t old_uid_;
    gid_t old_gid_;
    bool switched_ = false;
    bool ok_ = true;
};

} // namespace facteur::service
