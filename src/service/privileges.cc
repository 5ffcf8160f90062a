#include "service/privileges.h"

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"

#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>

namespace facteur::service {

std::optional<Account> find_account(const std::string& name)
{
    passwd entry{};
    passwd* found = nullptr;
    std::string buffer(16384, '\0');
    if (const auto number = text::to_long(name); number && *number >= 0)
        ::getpwuid_r(static_cast<uid_t>(*number), &entry, buffer.data(), buffer.size(), &found);
    else
        ::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (!found)
        return std::nullopt;
    return Account{entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir, entry.pw_shell};
}

std::optional<gid_t> find_group(const std::string& name)
{
    group entry{};
    group* found = nullptr;
    std::string buffer(65536, '\0');
    ::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (!found)
        return std::nullopt;
    return entry.gr_gid;
}

std::expected<void, std::string> jail(const std::string& directory, bool chroot, const std::optional<Account>& become)
{
    if (chroot) {
        if (::chroot(directory.c_str()) != 0)
            return std::unexpected("chroot(" + directory + "): " + errno_text(errno));
        if (::chdir("/") != 0)
            return std::unexpected("chdir(/): " + errno_text(errno));
    }
    if (become) {
        if (::setgroups(0, nullptr) != 0)
            return std::unexpected("setgroups: " + errno_text(errno));
        if (::setresgid(become->gid, become->gid, become->gid) != 0)
            return std::unexpected("setresgid: " + errno_text(errno));
        if (::setresuid(become->uid, become->uid, become->uid) != 0)
            return std::unexpected("setresuid: " + errno_text(errno));
    }
    if (become && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return std::unexpected("no_new_privs: " + errno_text(errno));
    return {};
}

ActAs::ActAs(uid_t uid, gid_t gid) : old_uid_(::geteuid()), old_gid_(::getegid())
{
    if (::getuid() != 0 || (old_uid_ == uid && old_gid_ == gid))
        return;
    switched_ = true;
    // Groups can be changed by root only: become root first, the user last.
    if (::seteuid(0) != 0 || ::setegid(gid) != 0 || ::setgroups(1, &gid) != 0 || ::seteuid(uid) != 0)
        ok_ = false;
}

ActAs::~ActAs()
{
    if (!switched_)
        return;
    if (::seteuid(0) != 0 || ::setegid(old_gid_) != 0 || ::setgroups(1, &old_gid_) != 0 || ::seteuid(old_uid_) != 0)
        log::panic("cannot switch back to uid {} gid {}: {}", old_uid_, old_gid_, errno_text(errno));
}

} // namespace facteur::service
