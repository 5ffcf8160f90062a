// "unix:passwd.byname" and "unix:group.byname": the system's users and groups, as lines of passwd(5) and group(5).
#include "base/error.h"
#include "table/driver.h"
#include "table/fold.h"

#include <grp.h>
#include <pwd.h>

#include <cerrno>

namespace facteur::table {
namespace {

constexpr std::size_t kBufferStart = 4096;
constexpr std::size_t kBufferLimit = 1 << 24;

std::string line_of(const passwd& entry)
{
    return fmt::format("{}:{}:{}:{}:{}:{}:{}", entry.pw_name, entry.pw_passwd, entry.pw_uid, entry.pw_gid,
                       entry.pw_gecos, entry.pw_dir, entry.pw_shell);
}

std::string line_of(const group& entry)
{
    std::string line = fmt::format("{}:{}:{}:", entry.gr_name, entry.gr_passwd, entry.gr_gid);
    for (char** member = entry.gr_mem; *member; ++member)
        line.append(member == entry.gr_mem ? "" : ",").append(*member);
    return line;
}

// Asks the C library with a buffer that grows until the entry fits.
template <typename Entry, typename Ask>
LookupResult look_up(const std::string& name, std::string_view database, Ask ask)
{
    std::vector<char> buffer(kBufferStart);
    for (;;) {
        Entry entry{};
        Entry* found = nullptr;
        const int error = ask(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
        if (error == ERANGE && buffer.size() < kBufferLimit) {
            buffer.resize(buffer.size() * 4);
            continue;
        }
        if (found)
            return line_of(*found);
        // What "no such user" looks like, beside 0: getpwnam(3), NOTES.
        if (error == 0 || error == ENOENT || error == ESRCH || error == EBADF || error == EPERM)
            return std::nullopt;
        return std::unexpected(
            LookupError{fmt::format("cannot access UNIX {} database: {}", database, errno_text(error))});
    }
}

LookupResult look_up_user(const std::string& name)
{
    return look_up<passwd>(name, "password", ::getpwnam_r);
}

LookupResult look_up_group(const std::string& name)
{
    return look_up<group>(name, "group", ::getgrnam_r);
}

class UnixTable final : public Table {
public:
    using LookUp = LookupResult (*)(const std::string&);
    UnixTable(std::string spec, LookUp look_up, bool fold) : Table(std::move(spec)), look_up_(look_up), fold_(fold) {}

    LookupResult lookup(std::string_view key) override
    {
        return look_up_(fold_ ? fold_key(key, FoldRange::ascii) : std::string(key));
    }
    // The name service may ask a directory on the network.
    bool blocking() const override { return true; }

private:
    LookUp look_up_;
    bool fold_;
};

} // namespace

Opened open_unix(const OpenRequest& request)
{
    UnixTable::LookUp look_up = nullptr;
    if (request.spec.name == "passwd.byname")
        look_up = look_up_user;
    else if (request.spec.name == "group.byname")
        look_up = look_up_group;
    else
        return std::unexpected(fmt::format("unknown table: {}", request.spec.text()));
    return std::make_unique<UnixTable>(request.spec.text(), look_up, request.options.fold_keys);
}

} // namespace facteur::table
