#include "tools/postmulti/edit.h"

#include "base/text.h"
#include "service/instance.h"
#include "tools/postmulti/process.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

namespace facteur::postmulti {

namespace {

std::string joined(const std::vector<std::string>& words)
{
    return fmt::format("{}", fmt::join(words, " "));
}

// Taken out of the primary's list; its files stay, or go.
Done leave(const config::Config& primary, const std::vector<Instance>& instances, const Instance& leaving,
           Action action)
{
    if (leaving.primary)
        return std::unexpected("Cannot remove the primary instance");
    if (leaving.enabled)
        return std::unexpected("Cannot remove enabled instances");
    if (service::running_master(leaving.queue_directory))
        return std::unexpected(fmt::format("Instance '{}' is not stopped", leaving.config_directory));
    std::vector<std::string> rest;
    for (const Instance& instance : instances)
        if (!instance.primary && instance.config_directory != leaving.config_directory)
            rest.push_back(instance.config_directory);
    const auto alternate = action == Action::deport ? Alternate::add : Alternate::remove;
    if (auto written = write_directories(primary, rest, leaving.config_directory, alternate); !written)
        return written;
    if (action == Action::destroy)
        remove_files(leaving);
    return {};
}

// The name of an instance given to another one.
std::optional<std::string> renaming_conflict(const std::vector<Instance>& instances, const Options& options)
{
    if (options.action != Action::assign || !options.new_name || *options.new_name == "-")
        return std::nullopt;
    Instance renamed;
    renamed.name = *options.new_name;
    std::vector<Instance> others;
    for (const Instance& each : instances) {
        if (matches(each, options.selection))
            renamed.config_directory = each.config_directory;
        else
            others.push_back(each);
    }
    return conflict_with(others, renamed);
}

Done change_existing(const config::Config& primary, const std::vector<Instance>& instances, const Options& options)
{
    const auto found =
        std::ranges::find_if(instances, [&](const Instance& each) { return matches(each, options.selection); });
    if (found == instances.end())
        return std::unexpected("No instance named " + options.selection.name);
    switch (options.action) {
    case Action::enable:
        return run_tool(primary, "postconf", found->config_directory, {"-e", "multi_instance_enable = yes"});
    case Action::disable:
        return run_tool(primary, "postconf", found->config_directory, {"-e", "multi_instance_enable = no"});
    case Action::assign:
        return assign_names(primary, *found, options);
    default:
        return leave(primary, instances, *found, options.action);
    }
}

} // namespace

Done write_directories(const config::Config& primary, const std::vector<std::string>& secondary,
                       const std::string& directory, Alternate alternate)
{
    std::vector<std::string> settings{"-e", "multi_instance_directories = " + joined(secondary)};
    std::vector<std::string> others;
    bool listed = false;
    for (const auto each : text::split_list(primary.get(config::params::alternate_config_directories))) {
        if (each == directory)
            listed = true;
        else
            others.emplace_back(each);
    }
    if (alternate == Alternate::add)
        others.push_back(directory);
    if (listed != (alternate == Alternate::add))
        settings.push_back("alternate_config_directories = " + joined(others));
    return run_tool(primary, "postconf", primary.directory(), settings);
}

Done assign_names(const config::Config& primary, const Instance& instance, const Options& options)
{
    std::vector<std::string> settings{"-e"};
    const auto assign = [&](std::string_view parameter, const std::optional<std::string>& value) {
        if (value && !value->empty())
            settings.push_back(fmt::format("{} = {}", parameter, *value == "-" ? "" : *value));
    };
    assign("multi_instance_name", options.new_name);
    assign("multi_instance_group", options.new_group);
    return settings.size() == 1 ? Done{} : run_tool(primary, "postconf", instance.config_directory, settings);
}

Done edit(const config::Config& primary, const std::vector<Instance>& instances, const Options& options)
{
    if (options.action == Action::init)
        return run_tool(
            primary, "postconf", primary.directory(),
            {"-e", "multi_instance_wrapper = ${command_directory}/postmulti -p --", "multi_instance_enable = yes"});
    if (const auto conflict = renaming_conflict(instances, options))
        return std::unexpected(*conflict);
    if (primary.get(config::params::multi_instance_wrapper).empty())
        return std::unexpected("multi_instance_wrapper is empty, run 'postmulti -e init' first.");
    if (!primary.get(config::params::multi_instance_enable))
        return std::unexpected("multi_instance_enable!=yes, run 'postmulti -e init' first.");
    if (options.action == Action::create || options.action == Action::import)
        return add_instance(primary, instances, options);
    return change_existing(primary, instances, options);
}

} // namespace facteur::postmulti
