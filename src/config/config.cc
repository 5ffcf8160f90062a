#include "config/config.h"

#include "base/fd.h"
#include "config/config_state.h"

#include <fmt/format.h>

#include <cstdlib>

namespace facteur::config {

namespace {

constexpr std::string_view kDefaultDirectory = "/etc/postfix";

} // namespace

std::string Problem::message() const
{
    if (file.empty())
        return text;
    return line > 0 ? fmt::format("{}, line {}: {}", file, line, text) : fmt::format("{}: {}", file, text);
}

std::string configuration_directory(std::optional<std::string> from_command_line)
{
    if (from_command_line)
        return *from_command_line;
    if (const char* environment = std::getenv("MAIL_CONFIG"); environment != nullptr && *environment != '\0')
        return environment;
    return std::string(kDefaultDirectory);
}

Config::Config(std::shared_ptr<State> state) : state_(std::move(state)) {}
Config::Config(Config&&) noexcept = default;
Config& Config::operator=(Config&&) noexcept = default;
Config::~Config() = default;

std::expected<Config, Problem> Config::load(std::string directory, Overrides overrides)
{
    const auto text = read_file(directory + "/main.cf");
    if (!text)
        return std::unexpected(Problem{"", 0, text.error().message()});
    return load_text(std::move(directory), *text, std::move(overrides));
}

std::expected<Config, Problem> Config::load_text(std::string directory, std::string_view main_cf, Overrides overrides)
{
    auto state = std::make_shared<State>();
    state->file = directory + "/main.cf";
    state->directory = std::move(directory);
    state->source = main_cf;
    if (auto good = state->read(main_cf); !good)
        return std::unexpected(good.error());
    state->apply(overrides);
    if (auto good = state->validate(); !good)
        return std::unexpected(good.error());
    return Config(std::move(state));
}

std::expected<Config, Problem> Config::from_text(std::string_view main_cf, Overrides overrides)
{
    auto state = std::make_shared<State>();
    state->file = "main.cf";
    state->directory = kDefaultDirectory;
    if (auto good = state->read(main_cf); !good)
        return std::unexpected(good.error());
    state->apply(overrides);
    if (auto good = state->validate(); !good)
        return std::unexpected(good.error());
    return Config(std::move(state));
}

std::expected<Config, Problem> Config::with(const Overrides& more) const
{
    auto state = std::make_shared<State>();
    state->file = state_->file;
    state->directory = state_->directory;
    state->settings = state_->settings;
    state->found_while_reading = state_->found_while_reading;
    state->apply(more);
    if (auto good = state->validate(); !good)
        return std::unexpected(good.error());
    return Config(std::move(state));
}

const std::string& Config::get(const StringParameter& parameter) const
{
    return state_->string(parameter.name, parameter);
}

long Config::get(const IntegerParameter& parameter) const
{
    return state_->number(parameter.name, parameter);
}

bool Config::get(const BooleanParameter& parameter) const
{
    return state_->number(parameter.name, parameter) != 0;
}

std::chrono::milliseconds Config::get(const TimeParameter& parameter) const
{
    return std::chrono::seconds(state_->number(parameter.name, parameter));
}

long Config::get_for(std::string_view transport, std::string_view suffix, const IntegerParameter& fallback) const
{
    const auto name = fmt::format("{}{}", transport, suffix);
    return state_->has_own_value(name) ? state_->number(name, fallback) : get(fallback);
}

std::chrono::milliseconds Config::get_for(std::string_view transport, std::string_view suffix,
                                          const TimeParameter& fallback) const
{
    const auto name = fmt::format("{}{}", transport, suffix);
    return state_->has_own_value(name) ? std::chrono::seconds(state_->number(name, fallback)) : get(fallback);
}

const std::string& Config::get_for(std::string_view transport, std::string_view suffix,
                                   const StringParameter& fallback) const
{
    const auto name = fmt::format("{}{}", transport, suffix);
    return state_->has_own_value(name) ? state_->string(name, fallback) : get(fallback);
}

std::optional<std::string> Config::explicit_text(std::string_view name) const
{
    const auto found = state_->settings.find(name);
    return found == state_->settings.end() ? std::nullopt : std::optional(found->second.text);
}

std::optional<std::string> Config::text_of(std::string_view name) const
{
    const std::lock_guard lock(state_->mutex);
    const auto found = state_->text_of(name);
    return found ? std::optional<std::string>(found->text) : std::nullopt;
}

std::vector<std::string> Config::explicit_names() const
{
    std::vector<std::string> names;
    for (const auto& [name, setting] : state_->settings)
        names.push_back(name);
    return names;
}

std::optional<std::string> Config::value(std::string_view name) const
{
    const std::lock_guard lock(state_->mutex);
    const auto text = state_->text_of(name);
    if (!text)
        return std::nullopt;
    if (const auto* parameter = find_parameter(name); parameter != nullptr && parameter->type == Type::raw)
        return std::string(text->text);
    auto value = state_->expand(text->text);
    return value ? std::optional(std::move(*value)) : std::nullopt;
}

std::expected<std::string, Problem> Config::expand(std::string_view text) const
{
    const std::lock_guard lock(state_->mutex);
    auto value = state_->expand(text);
    if (!value)
        return std::unexpected(Problem{"", 0, std::move(value.error())});
    return std::move(*value);
}

int Config::line_of(std::string_view name) const
{
    const auto found = state_->settings.find(name);
    return found == state_->settings.end() ? 0 : found->second.line;
}

const std::string& Config::directory() const
{
    return state_->directory;
}

const std::string& Config::source() const
{
    return state_->source;
}

const std::vector<Problem>& Config::warnings() const
{
    const std::lock_guard lock(state_->mutex);
    if (!state_->warnings)
        state_->warnings = state_->collect_warnings();
    return *state_->warnings;
}

} // namespace facteur::config
