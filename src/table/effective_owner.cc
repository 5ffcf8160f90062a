#include "table/effective_owner.h"

#include "base/error.h"
#include "base/log.h"

#include <grp.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace facteur::table {

std::expected<EffectiveOwner, std::string> EffectiveOwner::become(const std::optional<struct stat>& file)
{
    EffectiveOwner owner;
    if (!file || !S_ISREG(file->st_mode) || ::geteuid() != 0 || (file->st_uid == 0 && file->st_gid == ::getegid()))
        return owner;
    owner.active_ = true;
    if (::setegid(file->st_gid) != 0 || ::setgroups(1, &file->st_gid) != 0 || ::seteuid(file->st_uid) != 0)
        return std::unexpected(
            fmt::format("set_eugid: euid {} egid {}: {}", file->st_uid, file->st_gid, errno_text(errno)));
    return owner;
}

EffectiveOwner::EffectiveOwner(EffectiveOwner&& other) noexcept : active_(std::exchange(other.active_, false)) {}

EffectiveOwner::~EffectiveOwner()
{
    if (!active_)
        return;
    const gid_t group = ::getgid();
    if (::seteuid(0) != 0 || ::setegid(group) != 0 || ::setgroups(1, &group) != 0)
        log::panic("cannot take root privileges back: {}", errno_text(errno));
}

} // namespace facteur::table
