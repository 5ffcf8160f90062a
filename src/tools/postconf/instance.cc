#include "tools/postconf/instance.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"
#include "config/computed.h"
#include "config/logical_lines.h"
#include "config/params.h"
#include "config/suffixes.h"
#include "tools/postconf/references.h"

#include <fmt/format.h>
#include <unistd.h>

namespace facteur::postconf {

namespace {

// Programs whose services are delivery transports, with parameters of their own.
bool is_transport_program(std::string_view program)
{
    for (const auto* each : {"local", "error", "virtual", "smtp", "lmtp", "pipe"})
        if (program == each)
            return true;
    return false;
}

} // namespace

bool is_builtin(std::string_view name)
{
    const auto* parameter = config::find_parameter(name);
    return parameter != nullptr && parameter->status != config::Status::obsolete;
}

bool is_read_only(std::string_view name)
{
    return name == "process_id" || name == "process_name" || name == "service_name";
}

Result Instance::read_main(const Options& options)
{
    const auto path = directory_ + "/main.cf";
    const auto text = read_file(path);
    if (!text)
        return std::unexpected(text.error().message());
    for (const auto& line : config::logical_lines(*text)) {
        if (line.starts_with_space)
            log::warning("{}: logical line must not start with whitespace: \"{}\"", path, line.text);
        const auto [name, value, error] = config::split_name_value(line.text);
        if (!error.empty())
            return std::unexpected(fmt::format("{}, line {}: {}: \"{}\"", path, line.first, error, line.text));
        const auto [at, fresh] = settings_.try_emplace(std::string(name), value);
        if (fresh)
            continue;
        if (at->second != value)
            log::warning("{}, line {}: overriding earlier entry: {}={}", path, line.first, name, at->second);
        at->second = value;
    }
    for (const auto& [name, value] : options.overrides)
        settings_.insert_or_assign(name, value);
    settings_.insert_or_assign("config_directory", directory_);
    for (const auto* name : {"process_id", "process_name", "service_name"})
        if (const auto found = settings_.find(name); found != settings_.end()) {
            log::warning("{}: read-only parameter assignment: {}={}", path, name, found->second);
            settings_.erase(found);
        }
    return {};
}

Result Instance::read_master(bool must_exist)
{
    const auto path = directory_ + "/master.cf";
    const auto text = read_file(path);
    if (!text) {
        if (must_exist)
            return std::unexpected(text.error().message());
        log::warning("{}", text.error().message());
        return {};
    }
    for (const auto& line : config::logical_lines(*text)) {
        if (line.starts_with_space) {
            log::warning("{}: logical line must not start with whitespace: \"{}\"", path, line.text);
            continue;
        }
        auto entry = parse_raw_entry(line.text);
        if (!entry)
            return std::unexpected(entry.error() == "bad field count"
                                       ? fmt::format("file {}: line {}: {}", path, line.first, entry.error())
                                       : entry.error());
        entries_.push_back(std::move(*entry));
    }
    know_service_names();
    return {};
}

void Instance::know_service_names()
{
    for (const auto& entry : entries_) {
        const auto& program = entry.fields[kCommandField];
        const bool transport = entry.fields[1] != "inet" && is_transport_program(program);
        for (const auto& suffix : config::service_suffixes()) {
            if (suffix.only_pipe_and_spawn ? program != "pipe" && program != "spawn" : !transport)
                continue;
            const auto name = fmt::format("{}{}", entry.fields[0], suffix.suffix);
            if (!is_builtin(name))
                service_names_.emplace(name, fmt::format("${}", suffix.fallback->name));
        }
    }
}

void Instance::know_restriction_classes(std::string_view list, const Settings& known, Names& valid)
{
    for (const auto word : text::split(list, ", \t\r\n")) {
        if (known.contains(word))
            valid.emplace(word);
        else if (settings_.contains(word))
            user_names_.emplace(word);
        else
            log::warning("{}/main.cf: undefined parameter: {}", directory_, word);
    }
}

namespace {

// The settings of each service's -o, beside its entry.
Settings local_settings(const RawEntry& entry)
{
    const auto parameters = entry.parameters();
    return {parameters.begin(), parameters.end()};
}

} // namespace

// A text that cannot be expanded is refused whatever is asked.
Result Instance::check_syntax() const
{
    const auto nothing = [](std::string_view) { return std::optional<config::ParameterText>(); };
    for (const auto& [name, text] : settings_) {
        const auto* parameter = config::find_parameter(name);
        if (text.find('$') == text.npos || (parameter != nullptr && parameter->type == config::Type::raw))
            continue;
        if (const auto value = config::expand_text(text, nothing); !value) {
            log::warning("{}", value.error());
            return std::unexpected("macro processing error");
        }
    }
    return {};
}

// Names that other texts of main.cf, or defaults, give a meaning to.
void Instance::know_main_names()
{
    for (const auto* parameter : config::all_parameters())
        if (parameter->status != config::Status::obsolete)
            collect_references(parameter->default_text, from_defaults_);
    std::vector<std::pair<std::string, std::string>> files;
    Names clients;
    for (const auto& [name, text] : settings_) {
        collect_references(text, from_main_);
        collect_client_settings(text, clients, files);
    }
    for (const auto& [type, path] : files)
        if (const auto text = read_file(path); !text)
            log::warning("open \"{}\" configuration \"{}\": {}", type, path, errno_text(text.error().code));
    Names in_services;
    for (const auto& entry : entries_)
        for (const auto& [name, text] : entry.parameters())
            in_services.insert(name);
    for (const auto& name : from_main_)
        if (!is_known(name) && !in_services.contains(name))
            log::warning("{}/main.cf: undefined parameter: {}", directory_, name);
    for (const auto* names : {&from_defaults_, &from_main_, &clients})
        for (const auto& name : *names)
            if (settings_.contains(name))
                user_names_.insert(name);
    if (const auto classes = settings_.find("smtpd_restriction_classes"); classes != settings_.end())
        know_restriction_classes(classes->second, {}, user_names_);
}

bool Instance::is_known(std::string_view name) const
{
    return settings_.contains(name) || is_builtin(name) || service_names_.contains(std::string(name)) ||
           from_defaults_.contains(name);
}

// The same for one service. Its -o settings may be meant by texts of main.cf, too.
void Instance::know_service_settings(const RawEntry& entry, Names& undefined)
{
    const auto local = local_settings(entry);
    Names referred;
    Names valid;
    std::vector<std::pair<std::string, std::string>> files;
    for (const auto& [name, text] : local) {
        collect_references(text, referred);
        collect_client_settings(text, valid, files);
    }
    for (const auto& name : referred) {
        if (local.contains(name))
            continue;
        if (settings_.contains(name))
            user_names_.insert(name);
        else if (!is_known(name))
            undefined.insert(name);
    }
    if (const auto classes = local.find("smtpd_restriction_classes"); classes != local.end())
        know_restriction_classes(classes->second, local, valid);
    for (const auto& [name, text] : local) {
        const bool means = is_builtin(name) || service_names_.contains(name) || referred.contains(name) ||
                           valid.contains(name) || from_main_.contains(name) || from_defaults_.contains(name) ||
                           user_names_.contains(name);
        if (is_read_only(name))
            log::warning("{}/master.cf: read-only parameter assignment: {}={}", directory_, name, text);
        else if (!means)
            unused_master_.push_back(fmt::format("{}={}", name, text));
    }
}

Result Instance::know_names()
{
    if (auto good = check_syntax(); !good)
        return good;
    know_main_names();
    Names undefined;
    for (const auto& entry : entries_)
        know_service_settings(entry, undefined);
    for (const auto& name : undefined)
        log::warning("{}/master.cf: undefined parameter: {}", directory_, name);
    std::erase_if(user_names_,
                  [&](const std::string& name) { return is_builtin(name) || service_names_.contains(name); });
    for (const auto& [name, text] : settings_)
        if (class_of(name) == 0)
            unused_main_.push_back(fmt::format("{}={}", name, text));
    return {};
}

std::uint32_t Instance::class_of(std::string_view name) const
{
    if (is_builtin(name))
        return kClassBuiltin;
    if (service_names_.contains(std::string(name)))
        return kClassService;
    return user_names_.contains(name) ? kClassUser : 0;
}

bool Instance::is_set(std::string_view name) const
{
    return settings_.contains(name);
}

// What Config computes for a running program, from the same rules.
std::optional<std::string> Instance::computed_default(std::string_view name, bool only_defaults) const
{
    const auto value = [&](std::string_view text) { return evaluate(text, only_defaults).value_or(""); };
    if (name == "myhostname")
        return config::machine_hostname(!only_defaults && settings_.contains("mydomain") &&
                                                settings_.find("mydomain")->second.find('$') == std::string::npos
                                            ? settings_.find("mydomain")->second
                                            : "");
    if (name == "mydomain")
        return config::domain_of_host(value("$myhostname"));
    if (name == "process_id")
        return fmt::to_string(::getpid());
    if (name == "process_name")
        return "postconf";
    if (name != "mynetworks")
        return std::nullopt;
    const auto style = value("$mynetworks_style");
    const auto interfaces = value("$inet_interfaces");
    const auto protocols = value("$inet_protocols");
    const auto networks = config::trusted_networks({style, interfaces, protocols});
    if (!networks)
        log::warning("{}", networks.error());
    return networks.value_or("");
}

std::optional<std::string> Instance::lookup(std::string_view name, bool only_defaults, const Settings* local) const
{
    if (local != nullptr)
        if (const auto found = local->find(name); found != local->end())
            return found->second;
    if (!only_defaults)
        if (const auto found = settings_.find(name); found != settings_.end())
            return found->second;
    if (auto computed = computed_default(name, only_defaults))
        return computed;
    if (is_builtin(name))
        return std::string(config::find_parameter(name)->default_text);
    if (const auto service = service_names_.find(std::string(name)); service != service_names_.end())
        return service->second;
    return std::nullopt;
}

std::string Instance::text_of(std::string_view name, bool only_defaults) const
{
    return lookup(name, only_defaults, nullptr).value_or("");
}

std::expected<std::string, std::string> Instance::evaluate(std::string_view text, bool only_defaults,
                                                           const Settings* local) const
{
    // The texts must outlive the expansion; a name means the same each time.
    std::map<std::string, std::optional<std::string>, std::less<>> texts;
    const auto find = [&](std::string_view name) -> std::optional<config::ParameterText> {
        auto found = texts.find(name);
        if (found == texts.end())
            found = texts.emplace(std::string(name), lookup(name, only_defaults, local)).first;
        return found->second ? std::optional(config::ParameterText{*found->second}) : std::nullopt;
    };
    auto value = config::expand_text(text, find);
    if (!value) {
        log::warning("{}", value.error());
        return std::unexpected("macro processing error");
    }
    return value;
}

std::string Instance::value_of(std::string_view name) const
{
    return evaluate(fmt::format("${{{}}}", name), false).value_or("");
}

void Instance::warn_unused_main() const
{
    for (const auto& each : unused_main_)
        log::warning("{}/main.cf: unused parameter: {}", directory_, each);
}

void Instance::warn_unused_master() const
{
    for (const auto& each : unused_master_)
        log::warning("{}/master.cf: unused parameter: {}", directory_, each);
}

} // namespace facteur::postconf
