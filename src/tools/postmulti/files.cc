// The files of a secondary instance: made from prototypes, removed again.
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "tools/postmulti/edit.h"
#include "tools/postmulti/process.h"
#include "tools/postmulti/prototypes.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <string_view>

namespace facteur::postmulti {

namespace {

namespace fs = std::filesystem;

// Where the programs and documents are that instances share; cloned when the primary instance sets them.
constexpr auto kShared = std::to_array<const config::StringParameter*>(
    {&config::params::command_directory, &config::params::daemon_directory, &config::params::meta_directory,
     &config::params::mail_owner, &config::params::setgid_group, &config::params::sendmail_path,
     &config::params::mailq_path, &config::params::newaliases_path, &config::params::html_directory,
     &config::params::manpage_directory, &config::params::readme_directory, &config::params::shlib_directory});

Done make_directory(const std::string& path, mode_t mode)
{
    std::error_code error;
    fs::create_directories(fs::path(path).parent_path(), error);
    if (error)
        return std::unexpected(fmt::format("mkdir {}: {}", path, error.message()));
    if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST)
        return std::unexpected(SystemError::last("mkdir", path).message());
    return {};
}

Done write_prototype(const config::Config& primary, std::string_view name, std::string_view built_in,
                     const std::string& target)
{
    const auto installed = read_file(primary.get(config::params::meta_directory) + "/" + std::string(name) + ".proto");
    const auto fd = open_file(target, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (!fd)
        return std::unexpected(fd.error().message());
    if (const auto written = write_all(fd->get(), installed ? *installed : built_in, target); !written)
        return std::unexpected(written.error().message());
    return {};
}

// Nothing listens and nobody submits until the administrator has looked at the new instance.
std::vector<std::string> first_settings(const config::Config& primary, const Instance& instance)
{
    std::vector<std::string> out{"-e", "queue_directory = " + instance.queue_directory,
                                 "data_directory = " + instance.data_directory,
                                 "authorized_submit_users =", "master_service_disable = inet"};
    for (const auto* parameter : kShared)
        if (const auto text = primary.explicit_text(parameter->name))
            out.push_back(fmt::format("{} = {}", parameter->name, *text));
    return out;
}

std::vector<std::string> settings_to_clear(const config::Config& primary)
{
    std::vector<std::string> out{"-#"};
    for (const auto* parameter : kShared)
        if (!primary.explicit_text(parameter->name))
            out.emplace_back(parameter->name);
    return out;
}

Done move_file(const std::string& from, const std::string& to)
{
    if (::rename(from.c_str(), to.c_str()) != 0)
        return std::unexpected(SystemError::last("rename", to).message());
    return {};
}

void say_left(const std::string& path)
{
    log::warning("{}: please verify contents and remove by hand", path);
}

// Removes what is empty at and below `path`; true when nothing is left.
bool remove_empty_tree(const fs::path& path)
{
    std::error_code error;
    for (const auto& each : fs::directory_iterator(path, error))
        if (each.is_directory(error) && !each.is_symlink(error))
            remove_empty_tree(each.path());
    return ::rmdir(path.c_str()) == 0 || errno == ENOENT;
}

// Removes the files right below `path` (sockets, locks), then the directory.
bool remove_with_files(const fs::path& path)
{
    std::error_code error;
    for (const auto& each : fs::directory_iterator(path, error))
        ::unlink(each.path().c_str());
    return ::rmdir(path.c_str()) == 0 || errno == ENOENT;
}

void remove_queue(const std::string& queue)
{
    bool empty = true;
    for (const std::string_view name : {"active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming",
                                        "maildrop", "saved", "trace"}) {
        const std::string path = queue + "/" + std::string(name);
        if (remove_empty_tree(path))
            continue;
        say_left(path);
        empty = false;
    }
    // Mail that is still there may need its journal.
    if (!empty)
        return;
    std::error_code error;
    if (fs::remove_all(queue + "/journal", error); error)
        say_left(queue + "/journal");
    for (const std::string_view name : {"pid", "private", "public"})
        if (const std::string path = queue + "/" + std::string(name); !remove_with_files(path))
            say_left(path);
}

} // namespace

Done make_files(const config::Config& primary, const Instance& instance)
{
    ::umask(022);
    const std::string& directory = instance.config_directory;
    const std::string temporary = directory + "/.tmp";
    for (const auto& [path, mode] : {std::pair(directory, 0755), std::pair(instance.queue_directory, 0755),
                                     std::pair(instance.data_directory, 0700), std::pair(temporary, 0700)})
        if (auto made = make_directory(path, static_cast<mode_t>(mode)); !made)
            return made;
    if (auto written = write_prototype(primary, "main.cf", kMainPrototype, temporary + "/main.cf"); !written)
        return written;
    if (auto written = write_prototype(primary, "master.cf", kMasterPrototype, temporary + "/master.cf"); !written)
        return written;
    if (const auto clear = settings_to_clear(primary); clear.size() > 1)
        if (auto cleared = run_tool(primary, "postconf", temporary, clear); !cleared)
            return cleared;
    if (auto written = run_tool(primary, "postconf", temporary, first_settings(primary, instance)); !written)
        return written;
    // master.cf last: once it is there the instance is complete.
    for (const std::string_view name : {"/main.cf", "/master.cf"})
        if (auto moved = move_file(temporary + std::string(name), directory + std::string(name)); !moved)
            return moved;
    std::error_code ignored; // an empty directory of ours that nobody reads
    fs::remove_all(temporary, ignored);
    return {};
}

void remove_files(const Instance& instance)
{
    remove_queue(instance.queue_directory);
    ::unlink((instance.data_directory + "/master.lock").c_str());
    for (const std::string& path : {instance.data_directory, instance.queue_directory})
        if (::rmdir(path.c_str()) != 0)
            say_left(path);
    for (const std::string_view name : {"/master.cf", "/main.cf"})
        ::unlink((instance.config_directory + std::string(name)).c_str());
    if (::rmdir(instance.config_directory.c_str()) != 0)
        say_left(instance.config_directory);
}

} // namespace facteur::postmulti
