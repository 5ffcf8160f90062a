// create and import: which directories a new instance has, and its place in the list.
#include "config/logical_lines.h"
#include "tools/postmulti/edit.h"
#include "tools/postmulti/process.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace facteur::postmulti {

namespace {

using OwnDirectory = std::pair<std::string_view, std::string Instance::*>;
constexpr auto kOwnDirectories = std::to_array<OwnDirectory>({
    {"config_directory", &Instance::config_directory},
    {"queue_directory", &Instance::queue_directory},
    {"data_directory", &Instance::data_directory},
});

// "name=value" arguments.
Done take_settings(Instance& fresh, const Options& options)
{
    for (const std::string& argument : options.arguments) {
        const auto [name, value, error] = config::split_name_value(argument);
        if (!error.empty())
            return std::unexpected(fmt::format("Malformed parameter setting '{}'", argument));
        const auto known = std::ranges::find(kOwnDirectories, name, &OwnDirectory::first);
        const bool import_takes_one = options.action == Action::import && name != "config_directory";
        if (known == kOwnDirectories.end() || import_takes_one)
            return std::unexpected(fmt::format("Parameter '{}' not valid with action {}", name,
                                               options.action == Action::import ? "import" : "create"));
        if (!value.starts_with('/'))
            return std::unexpected(fmt::format("Parameter setting '{}' is not an absolute path", name));
        fresh.*(known->second) = value;
    }
    return {};
}

// The primary's directory with the new name in place of its last component.
std::string beside(std::string_view directory, std::string_view name)
{
    while (directory.size() > 1 && directory.ends_with('/'))
        directory.remove_suffix(1);
    return std::string(directory.substr(0, directory.rfind('/') + 1)) + std::string(name);
}

Done complete_directories(Instance& fresh, const Instance& primary, std::string_view name)
{
    for (const auto& [parameter, member] : kOwnDirectories) {
        if ((fresh.*member).empty() && !name.empty())
            fresh.*member = beside(primary.*member, name);
        if ((fresh.*member).empty())
            return std::unexpected(fmt::format("Missing {} parameter value", parameter));
    }
    return {};
}

bool has_file(const std::string& directory, std::string_view name)
{
    return ::access((directory + "/" + std::string(name)).c_str(), F_OK) == 0;
}

// The directories of an instance whose main.cf is there already.
std::expected<Instance, std::string> read_existing(const std::string& directory)
{
    const auto config = config::Config::load(directory);
    if (!config)
        return std::unexpected(config.error().message());
    return instance_of(*config);
}

std::expected<Instance, std::string> describe(const std::vector<Instance>& instances, const Options& options)
{
    Instance fresh;
    if (const auto taken = take_settings(fresh, options); !taken)
        return std::unexpected(taken.error());
    const std::string name = options.new_name && *options.new_name != "-" ? *options.new_name : "";
    if (fresh.config_directory.empty() && !name.empty())
        fresh.config_directory = beside(instances.front().config_directory, name);
    if (fresh.config_directory.empty())
        return std::unexpected("Missing config_directory parameter value");
    for (const Instance& each : instances)
        if (each.config_directory == fresh.config_directory)
            return std::unexpected(
                fmt::format("new config_directory={} is already in use by instance {}, config_directory={}",
                            fresh.config_directory, each.config_directory, each.config_directory));
    const bool complete = has_file(fresh.config_directory, "main.cf") && has_file(fresh.config_directory, "master.cf");
    if (options.action == Action::import || complete) {
        auto existing = read_existing(fresh.config_directory);
        if (!existing)
            return existing;
        fresh = std::move(*existing);
        fresh.name = name.empty() ? fresh.name : name;
    } else {
        if (const auto completed = complete_directories(fresh, instances.front(), name); !completed)
            return std::unexpected(completed.error());
        fresh.name = name;
    }
    if (const auto conflict = conflict_with(instances, fresh))
        return std::unexpected(*conflict);
    return fresh;
}

// The secondary instances with the new one where -a, -g or -i put it; at the end without them.
std::expected<std::vector<std::string>, std::string> placed(const std::vector<Instance>& instances,
                                                            const std::string& directory, const Selection& before)
{
    std::vector<std::string> out;
    bool done = false;
    const auto insert = [&] {
        out.push_back(directory);
        done = true;
    };
    if (before.kind == Selection::Kind::all)
        insert();
    for (const Instance& each : instances) {
        if (each.primary)
            continue;
        if (!done && before.kind != Selection::Kind::none && matches(each, before))
            insert();
        out.push_back(each.config_directory);
    }
    if (!done && before.kind != Selection::Kind::none)
        return std::unexpected("No matching secondary instances");
    if (!done)
        insert();
    return out;
}

} // namespace

Done add_instance(const config::Config& primary, const std::vector<Instance>& instances, const Options& options)
{
    const auto fresh = describe(instances, options);
    if (!fresh)
        return std::unexpected(fresh.error());
    const auto list = placed(instances, fresh->config_directory, options.selection);
    if (!list)
        return std::unexpected(list.error());
    const bool complete =
        has_file(fresh->config_directory, "main.cf") && has_file(fresh->config_directory, "master.cf");
    if (!complete && options.action == Action::import)
        return std::unexpected(fmt::format("'{}' lacks a master.cf file", fresh->config_directory));
    if (!complete)
        if (auto made = make_files(primary, *fresh); !made)
            return made;
    if (auto named = assign_names(primary, *fresh, options); !named)
        return named;
    // Before set-permissions: only a listed instance leaves the shared files alone.
    if (auto written = write_directories(primary, *list, fresh->config_directory, Alternate::remove); !written)
        return written;
    return run_tool(primary, "postfix", fresh->config_directory, {"set-permissions"});
}

} // namespace facteur::postmulti
