#include "tools/postmulti/instances.h"

#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace facteur::postmulti {

namespace {

constexpr std::string_view kNamePrefix = "postfix-";

std::string_view without_prefix(std::string_view name)
{
    return name.starts_with(kNamePrefix) ? name.substr(kNamePrefix.size()) : name;
}

bool has_name(const Instance& instance, std::string_view name)
{
    if (name == "-")
        return instance.primary;
    if (name.starts_with('/') || instance.name.empty())
        return instance.config_directory == name;
    return instance.name == name || without_prefix(instance.name) == name;
}

} // namespace

Instance instance_of(const config::Config& config)
{
    using namespace config::params;
    return {config.directory(),
            config.get(queue_directory),
            config.get(data_directory),
            config.get(multi_instance_name),
            config.get(multi_instance_group),
            config.get(multi_instance_enable),
            false};
}

std::expected<std::vector<Instance>, std::string> load_instances(const config::Config& primary)
{
    std::vector<Instance> out{instance_of(primary)};
    const auto directories = text::split_list(primary.get(config::params::multi_instance_directories));
    out.front().primary = true;
    out.front().enabled |= directories.empty();
    for (const auto directory : directories) {
        const auto config = config::Config::load(std::string(directory));
        if (!config)
            return std::unexpected(config.error().message());
        out.push_back(instance_of(*config));
    }
    return out;
}

bool matches(const Instance& instance, const Selection& selection)
{
    switch (selection.kind) {
    case Selection::Kind::none:
    case Selection::Kind::all:
        return true;
    case Selection::Kind::group:
        return instance.group == selection.name && !selection.name.empty();
    case Selection::Kind::name:
        return has_name(instance, selection.name);
    }
    return false;
}

std::optional<std::string> conflict_with(const std::vector<Instance>& others, const Instance& candidate)
{
    constexpr auto kOwn = std::to_array<std::pair<std::string_view, std::string Instance::*>>({
        {"multi_instance_name", &Instance::name},
        {"queue_directory", &Instance::queue_directory},
        {"data_directory", &Instance::data_directory},
    });
    for (const Instance& other : others)
        for (const auto& [parameter, member] : kOwn)
            if (!(candidate.*member).empty() && candidate.*member == other.*member)
                return fmt::format("instance {}, {}={} conflicts with instance {}, {}={}", candidate.config_directory,
                                   parameter, candidate.*member, other.config_directory, parameter, other.*member);
    return std::nullopt;
}

} // namespace facteur::postmulti
