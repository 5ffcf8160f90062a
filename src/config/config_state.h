// What a Config holds: the settings as written, and the values found so far. Internal to this folder.
#pragma once

#include "config/config.h"
#include "config/expand.h"

#include <mutex>
#include <unordered_map>

namespace facteur::config {

struct Config::State {
    struct Setting {
        std::string text;
        int line = 0; // 0: an override
    };

    std::string directory;
    std::string file; // for messages
    std::string source;
    std::map<std::string, Setting, std::less<>> settings;
    std::vector<Problem> found_while_reading;

    // Reads main.cf's text into settings; a later line wins over an earlier one of the same name.
    std::expected<void, Problem> read(std::string_view text);
    void apply(const Overrides& overrides);
    // Whether every known parameter has a value that parses and lies within its bounds.
    std::expected<void, Problem> validate();

    [[nodiscard]] std::optional<ParameterText> text_of(std::string_view name);
    // Set in main.cf, or declared with a default of its own (local_destination_concurrency_limit).
    [[nodiscard]] bool has_own_value(std::string_view name) const
    {
        return settings.contains(name) || find_parameter(name) != nullptr;
    }
    [[nodiscard]] std::expected<std::string, std::string> expand(std::string_view text);

    const std::string& string(std::string_view name, const ParameterBase& parameter);
    long number(std::string_view name, const ParameterBase& parameter); // booleans as 0 and 1, times in seconds

    [[nodiscard]] Problem problem_at(std::string_view name, std::string text) const;
    std::vector<Problem> collect_warnings();

    // Values are remembered by name; worker threads read settings too.
    std::recursive_mutex mutex;
    std::unordered_map<std::string_view, std::string> known_strings; // keys: names with static storage
    std::unordered_map<const ParameterBase*, long> known_numbers;
    std::map<std::string, std::string, std::less<>> suffixed_strings;
    std::map<std::string, long, std::less<>> suffixed_numbers;
    std::map<std::string, std::string, std::less<>> computed;
    std::optional<std::vector<Problem>> warnings;

private:
    std::optional<std::string_view> computed_text(const ParameterBase& parameter);
    std::expected<void, Problem> read_origin();
    std::expected<void, Problem> validate_one(std::string_view name, const ParameterBase& parameter);
    bool asks_for_nothing(std::string_view name, const ParameterBase& parameter);
    std::string effect_warning(std::string_view name, const ParameterBase& parameter);
    bool computing_name_ = false;
};

} // namespace facteur::config
