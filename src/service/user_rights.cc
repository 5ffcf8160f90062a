#include "service/user_rights.h"

#include "base/text.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>

namespace facteur::service {

namespace {

constexpr const char* kDefaultDirectory = "/etc/postfix";

bool is_listed(const std::string& directory)
{
    if (directory == kDefaultDirectory)
        return true;
    const auto standard = config::Config::load(kDefaultDirectory);
    if (!standard)
        return false;
    const auto lists = [&](const config::StringParameter& parameter) {
        const auto names = text::split_list(standard->get(parameter));
        return std::ranges::find(names, directory) != names.end();
    };
    return lists(config::params::alternate_config_directories) || lists(config::params::multi_instance_directories);
}

} // namespace

std::expected<void, UnauthorizedDirectory> authorize_option(const std::string& directory)
{
    if (::getuid() == 0 || is_listed(directory))
        return {};
    return std::unexpected(UnauthorizedDirectory{
        "unauthorized configuration directory name: " + directory,
        fmt::format(
            "specify \"alternate_config_directories = {0}\" or \"multi_instance_directories = {0}\" in {1}/main.cf",
            directory, kDefaultDirectory)});
}

std::expected<void, UnauthorizedDirectory> authorize_directory(const std::string& directory)
{
    if (::getuid() == ::geteuid() && ::getgid() == ::getegid())
        return {};
    return authorize_option(directory);
}

std::optional<std::string> login_name()
{
    passwd entry{};
    passwd* found = nullptr;
    std::string buffer(16384, '\0');
    ::getpwuid_r(::getuid(), &entry, buffer.data(), buffer.size(), &found);
    if (!found)
        return std::nullopt;
    return std::string(entry.pw_name);
}

} // namespace facteur::service
