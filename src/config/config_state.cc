#include "config/config_state.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"
#include "config/computed.h"
#include "config/logical_lines.h"
#include "config/suffixes.h"
#include "config/values.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <unordered_set>

namespace facteur::config {

std::expected<void, Problem> Config::State::read(std::string_view text)
{
    if (const auto nul = text.find('\0'); nul != text.npos) {
        const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<long>(nul), '\n');
        return std::unexpected(Problem{file, static_cast<int>(line), "null byte in configuration file"});
    }
    for (const auto& line : logical_lines(text)) {
        if (line.starts_with_space)
            found_while_reading.push_back(
                {file, line.first,
                 fmt::format("logical line must not start with whitespace: \"{}\"", line.text.substr(0, 30))});
        const auto [name, value, error] = split_name_value(line.text);
        if (!error.empty())
            return std::unexpected(Problem{file, line.first, fmt::format("{}: \"{}\"", error, line.text)});
        if (!text::valid_utf8(line.text))
            found_while_reading.push_back(
                {file, line.first, fmt::format("parameter {}: value is not valid UTF-8", text::printable(name))});
        settings.insert_or_assign(std::string(name), Setting{std::string(value), line.first});
    }
    return {};
}

void Config::State::apply(const Overrides& overrides)
{
    for (const auto& [name, value] : overrides)
        settings.insert_or_assign(name, Setting{value, 0});
}

Problem Config::State::problem_at(std::string_view name, std::string text) const
{
    const auto found = settings.find(name);
    const bool from_file = found != settings.end() && found->second.line > 0;
    return {from_file ? file : std::string(), from_file ? found->second.line : 0, std::move(text)};
}

std::optional<ParameterText> Config::State::text_of(std::string_view name)
{
    if (const auto found = settings.find(name); found != settings.end())
        return ParameterText{found->second.text};
    if (const auto* parameter = find_parameter(name)) {
        if (const auto text = computed_text(*parameter))
            return ParameterText{*text};
        // Others' defaults ask whether an obsolete name is set; unset it must look like no name at all.
        if (parameter->status == Status::obsolete)
            return std::nullopt;
        return ParameterText{parameter->default_text, true};
    }
    if (const auto* suffix = find_suffix(name))
        return text_of(suffix->fallback->name);
    return std::nullopt;
}

// The defaults that no text can state. Remembered: they must not change while the Config lives.
std::optional<std::string_view> Config::State::computed_text(const ParameterBase& parameter)
{
    if (&parameter == &params::config_directory)
        return directory;
    const bool names_host = &parameter == &params::myhostname || &parameter == &params::mydomain;
    if (!names_host && &parameter != &params::mynetworks && &parameter != &params::process_id &&
        &parameter != &params::process_name)
        return std::nullopt;
    if (const auto known = computed.find(parameter.name); known != computed.end())
        return known->second;
    std::string text;
    if (&parameter == &params::myhostname) {
        // A mydomain that refers back to myhostname finds no domain here.
        if (const auto domain = settings.find(params::mydomain.name); domain != settings.end() && !computing_name_) {
            computing_name_ = true;
            text = machine_hostname(expand(domain->second.text).value_or(""));
            computing_name_ = false;
        } else {
            text = machine_hostname("");
        }
    } else if (&parameter == &params::mydomain) {
        text = domain_of_host(expand("$myhostname").value_or(""));
    } else if (&parameter == &params::mynetworks) {
        const auto style = expand("$mynetworks_style").value_or("");
        const auto interfaces = expand("$inet_interfaces").value_or("");
        const auto protocols = expand("$inet_protocols").value_or("");
        text = trusted_networks({style, interfaces, protocols}).value_or("");
    } else {
        text =
            &parameter == &params::process_id ? fmt::to_string(::getpid()) : std::string(program_invocation_short_name);
    }
    return computed.emplace(parameter.name, std::move(text)).first->second;
}

std::expected<std::string, std::string> Config::State::expand(std::string_view text)
{
    if (text.find('$') == text.npos)
        return std::string(text);
    return expand_text(text, [this](std::string_view name) { return text_of(name); });
}

std::expected<void, Problem> Config::State::validate_one(std::string_view name, const ParameterBase& parameter)
{
    const auto raw = text_of(name).value_or(ParameterText{}).text;
    if (parameter.type == Type::raw)
        return {};
    const auto value = expand(raw);
    if (!value)
        return std::unexpected(problem_at(name, fmt::format("parameter {}: {}", name, value.error())));
    if (auto error = check_value(name, *value, parameter); !error.empty())
        return std::unexpected(problem_at(name, std::move(error)));
    return {};
}

// Debian's "myorigin = /etc/mailname": the first line of that file is meant.
std::expected<void, Problem> Config::State::read_origin()
{
    const auto origin = settings.find(params::myorigin.name);
    if (origin == settings.end() || !origin->second.text.starts_with('/'))
        return {};
    const auto text = read_file(origin->second.text);
    if (!text)
        return std::unexpected(problem_at(origin->first, fmt::format("{}: cannot open file: {}", origin->second.text,
                                                                     errno_text(text.error().code))));
    origin->second.text = text::trim(std::string_view(*text).substr(0, text->find('\n')));
    return {};
}

std::expected<void, Problem> Config::State::validate()
{
    if (auto good = read_origin(); !good)
        return good;
    if (const auto level = expand("$compatibility_level"); !level || !compatibility_level_number(*level))
        return std::unexpected(
            problem_at(params::compatibility_level.name,
                       fmt::format("malformed compatibility level syntax: \"{}\"", level.value_or(""))));
    for (const auto& [name, setting] : settings) {
        const auto* parameter = find_parameter(name);
        if (parameter == nullptr)
            if (const auto* suffix = find_suffix(name))
                parameter = suffix->fallback;
        if (parameter != nullptr)
            if (auto good = validate_one(name, *parameter); !good)
                return good;
    }
    for (const auto* parameter : all_parameters()) {
        const bool typed = parameter->type != Type::string && parameter->type != Type::raw;
        if (typed && parameter->status != Status::obsolete &&
            parameter->default_text.find('$') != std::string_view::npos && !settings.contains(parameter->name))
            if (auto good = validate_one(parameter->name, *parameter); !good)
                return good;
    }
    const auto style = expand("$mynetworks_style").value_or("");
    const auto protocols = expand("$inet_protocols").value_or("");
    if (const auto words = trusted_networks({style, "", protocols}); !words)
        return std::unexpected(problem_at(
            words.error().find("inet_protocols") != std::string::npos ? "inet_protocols" : "mynetworks_style",
            words.error()));
    return {};
}

// load() has validated what these two convert, so a failure here is a bug of this folder.
const std::string& Config::State::string(std::string_view name, const ParameterBase& parameter)
{
    const bool known = name.data() == parameter.name.data();
    const std::lock_guard lock(mutex);
    if (known) {
        if (const auto found = known_strings.find(name); found != known_strings.end())
            return found->second;
    } else if (const auto found = suffixed_strings.find(name); found != suffixed_strings.end()) {
        return found->second;
    }
    const auto raw = text_of(name).value_or(ParameterText{parameter.default_text}).text;
    auto value = parameter.type == Type::raw ? std::string(raw) : expand(raw);
    if (!value)
        log::panic("parameter {}: {}", name, value.error());
    return known ? known_strings.emplace(name, std::move(*value)).first->second
                 : suffixed_strings.emplace(name, std::move(*value)).first->second;
}

long Config::State::number(std::string_view name, const ParameterBase& parameter)
{
    const bool known = name.data() == parameter.name.data();
    const std::lock_guard lock(mutex);
    if (known) {
        if (const auto found = known_numbers.find(&parameter); found != known_numbers.end())
            return found->second;
    } else if (const auto found = suffixed_numbers.find(name); found != suffixed_numbers.end()) {
        return found->second;
    }
    const auto& text = string(name, parameter);
    std::expected<long, std::string> value = 0;
    if (parameter.type == Type::boolean) {
        const auto truth = parse_boolean(name, text);
        value = truth ? std::expected<long, std::string>(*truth ? 1 : 0) : std::unexpected(truth.error());
    } else {
        value = parameter.type == Type::time ? parse_time(name, text, parameter) : parse_integer(name, text, parameter);
    }
    if (!value)
        log::panic("{}", value.error());
    if (known)
        known_numbers.emplace(&parameter, *value);
    else
        suffixed_numbers.emplace(name, *value);
    return *value;
}

namespace {

constexpr std::size_t kUnknownNames = 100; // that get a line of their own

// The words of a text in which a name of the user's own may be referred to: "$name", a restriction class in a list,
// the "people" of "ldap:people".
class Mentions {
public:
    void add(std::string_view text)
    {
        for (std::size_t at = 0; at < text.size();) {
            const auto start = std::find_if(text.begin() + static_cast<long>(at), text.end(), in_name);
            const auto end = std::find_if_not(start, text.end(), in_name);
            if (start != end) {
                const std::string_view word(start, end);
                words_.insert(word);
                if (start != text.begin() && start[-1] == ':')
                    tables_.insert(word);
            }
            at = static_cast<std::size_t>(end - text.begin());
        }
    }
    [[nodiscard]] bool has(std::string_view name) const
    {
        // "people_server_host" belongs to the table "ldap:people".
        for (auto end = name.find('_'); end != name.npos; end = name.find('_', end + 1))
            if (tables_.contains(name.substr(0, end)))
                return true;
        return words_.contains(name);
    }

private:
    static bool in_name(char c) { return text::is_alnum(c) || c == '_' || c == '-'; }
    std::unordered_set<std::string_view> words_;
    std::unordered_set<std::string_view> tables_;
};

} // namespace

// Does the setting ask for no more than what happens while the feature is missing?
bool Config::State::asks_for_nothing(std::string_view name, const ParameterBase& parameter)
{
    const auto& value = string(name, parameter);
    if (value.empty())
        return parameter.default_text.empty();
    const auto nothing = parameter.without.empty() && parameter.type == Type::boolean && parameter.default_text == "no"
                             ? parameter.default_text
                             : parameter.without;
    if (nothing.empty() || parameter.type == Type::string || parameter.type == Type::raw)
        return value == nothing;
    if (parameter.type == Type::boolean)
        return text::iequals(value, nothing);
    return number(name, parameter) == text::to_long(nothing);
}

// What to say of a setting that has not the effect its author expects; empty: it has.
std::string Config::State::effect_warning(std::string_view name, const ParameterBase& parameter)
{
    switch (parameter.status) {
    case Status::present:
        return {};
    case Status::planned:
        return asks_for_nothing(name, parameter)
                   ? std::string()
                   : fmt::format("parameter {} is set, but its feature does not exist yet", name);
    case Status::unused:
        return fmt::format("parameter {} is set, but has no effect here", name);
    case Status::obsolete:
        return fmt::format("parameter {} is no longer used", name);
    }
    return {};
}

std::vector<Problem> Config::State::collect_warnings()
{
    auto out = found_while_reading;
    Mentions mentions;
    for (const auto& [name, setting] : settings)
        mentions.add(setting.text);
    std::string services;
    if (file == directory + "/main.cf")
        if (auto read = read_file(directory + "/master.cf"))
            services = std::move(*read);
    mentions.add(services);
    std::size_t unknown = 0;
    for (const auto& [name, setting] : settings) {
        if (setting.line == 0)
            continue;
        const auto* parameter = find_parameter(name);
        const auto* suffix = find_suffix(name);
        const auto* known = suffix != nullptr ? suffix->fallback : parameter;
        if (known != nullptr) {
            if (const auto text = effect_warning(name, *known); !text.empty())
                out.push_back({file, setting.line, text});
            continue;
        }
        if (mentions.has(name) || ++unknown > kUnknownNames)
            continue;
        const auto near = nearest_name(name);
        out.push_back({file, setting.line,
                       fmt::format("unknown parameter: {}={}{}", name, setting.text,
                                   near.empty() ? "" : fmt::format(" (is it {}?)", near))});
    }
    if (unknown > kUnknownNames)
        out.push_back({file, 0, fmt::format("{} more unknown parameters", unknown - kUnknownNames)});
    return out;
}

} // namespace facteur::config
