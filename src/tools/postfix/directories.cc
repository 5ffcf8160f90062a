#include "tools/postfix/directories.h"

#include "base/error.h"
#include "base/text.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <functional>

namespace facteur::postfix_command {

namespace {

namespace fs = std::filesystem;
using config::Config;

constexpr mode_t kOthersWrite = S_IWGRP | S_IWOTH;

std::expected<void, std::string> set_owner(const std::string& path, uid_t uid, gid_t gid, mode_t mode)
{
    if (::lchown(path.c_str(), uid, gid) != 0)
        return std::unexpected("chown " + path + ": " + errno_text(errno));
    if (::chmod(path.c_str(), mode) != 0)
        return std::unexpected("chmod " + path + ": " + errno_text(errno));
    return {};
}

std::expected<void, std::string> make_one(const std::string& path, mode_t mode, const Identities& who, Owner owner,
                                          Group group, Existing existing)
{
    const bool made = ::mkdir(path.c_str(), mode) == 0;
    if (!made && errno != EEXIST)
        return std::unexpected("mkdir " + path + ": " + errno_text(errno));
    if (!made && existing == Existing::keep)
        return {};
    if (!who.privileged) {
        if (::chmod(path.c_str(), mode) != 0)
            return std::unexpected("chmod " + path + ": " + errno_text(errno));
        return {};
    }
    const uid_t uid = owner == Owner::root ? 0 : who.mail_owner->uid;
    const gid_t gid = group == Group::setgid_group ? *who.setgid_group : static_cast<gid_t>(-1);
    return set_owner(path, uid, gid, mode);
}

// One thing to say of one path; gathers lines in the order of the checks.
class Inspector {
public:
    explicit Inspector(std::vector<std::string>& lines) : lines_(lines) {}

    void owned_by(const std::string& path, uid_t uid, std::string_view name)
    {
        struct stat found{};
        if (::lstat(path.c_str(), &found) == 0 && found.st_uid != uid)
            lines_.push_back(fmt::format("not owned by {}: {}", name, path));
    }
    void group_is(const std::string& path, gid_t gid, std::string_view name)
    {
        struct stat found{};
        if (::lstat(path.c_str(), &found) == 0 && found.st_gid != gid)
            lines_.push_back(fmt::format("not owned by group {}: {}", name, path));
    }
    void not_writable_by_others(const std::string& path)
    {
        struct stat found{};
        if (::stat(path.c_str(), &found) == 0 && (found.st_mode & kOthersWrite) != 0)
            lines_.push_back("group or other writable: " + path);
    }
    void is_setgid_program(const std::string& path)
    {
        struct stat found{};
        if (::stat(path.c_str(), &found) == 0 && (found.st_mode & 02111) != 02111)
            lines_.push_back("not set-gid or not owner+group+world executable: " + path);
    }

private:
    std::vector<std::string>& lines_;
};

void each_below(const std::string& directory, const std::function<void(const std::string&)>& visit)
{
    visit(directory);
    std::error_code error;
    for (fs::recursive_directory_iterator at(directory, fs::directory_options::skip_permission_denied, error), end;
         !error && at != end; at.increment(error))
        visit(at->path().string());
}

void inspect_configuration(const Config& config, Inspector& inspect)
{
    each_below(config.directory(), [&](const std::string& path) {
        inspect.owned_by(path, 0, "root");
        inspect.not_writable_by_others(path);
    });
    const std::string& daemons = config.get(config::params::daemon_directory);
    each_below(daemons, [&](const std::string& path) {
        inspect.owned_by(path, 0, "root");
        inspect.not_writable_by_others(path);
    });
}

void inspect_queue(const Config& config, const Identities& who, Depth depth, Inspector& inspect)
{
    const std::string& queue = config.get(config::params::queue_directory);
    const std::string& owner = config.get(config::params::mail_owner);
    inspect.owned_by(queue, 0, "root");
    inspect.not_writable_by_others(queue);
    for (const QueueDirectory& each : kQueueDirectories) {
        const std::string path = queue + "/" + std::string(each.name);
        if (each.owner == Owner::root) {
            inspect.owned_by(path, 0, "root");
            inspect.not_writable_by_others(path);
        } else if (depth == Depth::thorough && each.name != "maildrop") {
            // maildrop is the least trusted directory: what is in it is nobody's business here.
            each_below(path, [&](const std::string& below) { inspect.owned_by(below, who.mail_owner->uid, owner); });
        } else {
            inspect.owned_by(path, who.mail_owner->uid, owner);
        }
        if (each.group == Group::setgid_group)
            inspect.group_is(path, *who.setgid_group, config.get(config::params::setgid_group));
    }
}

std::vector<std::string> damaged_messages(const Config& config)
{
    std::vector<std::string> out;
    const std::string corrupt = config.get(config::params::queue_directory) + "/corrupt";
    each_below(corrupt, [&](const std::string& path) {
        struct stat found{};
        if (::lstat(path.c_str(), &found) == 0 && S_ISREG(found.st_mode))
            out.push_back("damaged message: " + path.substr(corrupt.size() - 7));
    });
    return out;
}

} // namespace

std::expected<Identities, std::string> find_identities(const Config& config)
{
    Identities who;
    who.privileged = ::geteuid() == 0;
    if (!who.privileged)
        return who;
    const std::string& owner = config.get(config::params::mail_owner);
    const std::string& group = config.get(config::params::setgid_group);
    const std::string file = "file " + config.directory() + "/main.cf: ";
    who.mail_owner = service::find_account(owner);
    if (!who.mail_owner)
        return std::unexpected(file + "parameter mail_owner: unknown user name value: " + owner);
    if (who.mail_owner->uid == 0)
        return std::unexpected(file + "parameter mail_owner: user " + owner + " is the super-user");
    who.setgid_group = service::find_group(group);
    if (!who.setgid_group)
        return std::unexpected(file + "parameter setgid_group: unknown group name: " + group);
    if (*who.setgid_group == who.mail_owner->gid)
        return std::unexpected(file + "parameter setgid_group: group " + group + " is the group of " + owner);
    return who;
}

std::expected<void, std::string> make_directories(const Config& config, const Identities& who, Existing existing)
{
    const std::string& queue = config.get(config::params::queue_directory);
    const std::string& data = config.get(config::params::data_directory);
    std::error_code error;
    fs::create_directories(fs::path(queue).parent_path(), error);
    if (auto made = make_one(queue, 0755, who, Owner::root, Group::unchanged, existing); !made)
        return made;
    for (const QueueDirectory& each : kQueueDirectories)
        if (auto made =
                make_one(queue + "/" + std::string(each.name), each.mode, who, each.owner, each.group, existing);
            !made)
            return made;
    fs::create_directories(fs::path(data).parent_path(), error);
    return make_one(data, 0700, who, Owner::mail_owner, Group::unchanged, existing);
}

bool shares_programs(const Config& config)
{
    constexpr std::string_view kDefaultDirectory = "/etc/postfix";
    if (config.directory() == kDefaultDirectory)
        return false;
    const auto primary = Config::load(std::string(kDefaultDirectory));
    if (!primary)
        return false;
    const auto secondary = text::split_list(primary->get(config::params::multi_instance_directories));
    return std::ranges::find(secondary, config.directory()) != secondary.end();
}

std::expected<void, std::string> repair_programs(const Config& config, const Identities& who)
{
    if (!who.privileged)
        return {};
    for (const std::string_view name : {"postdrop", "postlog", "postqueue"}) {
        const std::string path = config.get(config::params::command_directory) + "/" + std::string(name);
        if (::access(path.c_str(), F_OK) != 0)
            continue;
        if (auto set = set_owner(path, 0, *who.setgid_group, 02755); !set)
            return set;
    }
    return {};
}

std::vector<std::string> ownership_warnings(const Config& config, const Identities& who, Depth depth)
{
    std::vector<std::string> out;
    if (!who.privileged)
        return out;
    Inspector inspect(out);
    inspect_queue(config, who, depth, inspect);
    inspect_configuration(config, inspect);
    const std::string& data = config.get(config::params::data_directory);
    each_below(data, [&](const std::string& path) {
        inspect.owned_by(path, who.mail_owner->uid, config.get(config::params::mail_owner));
        inspect.not_writable_by_others(path);
    });
    for (const std::string_view name : {"postqueue", "postdrop"}) {
        const std::string path = config.get(config::params::command_directory) + "/" + std::string(name);
        inspect.group_is(path, *who.setgid_group, config.get(config::params::setgid_group));
        inspect.is_setgid_program(path);
    }
    for (std::string& line : damaged_messages(config))
        out.push_back(std::move(line));
    return out;
}

} // namespace facteur::postfix_command
