// An instance's main.cf: read once, values expanded on demand and remembered.
//
// Source: postconf(5), "main.cf file format" and "parameter syntax".
#pragma once

#include "config/params.h"

#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::config {

// refused: a system must not start, or take a reload, with it.
enum class Gravity { warning, refused };

// One thing wrong with a configuration, for a person.
struct Problem {
    std::string file; // empty when no file is to blame
    int line = 0;     // 0 when unknown
    std::string text; // "bad numerical configuration: qmgr_message_active_limit = 10x"
    Gravity gravity = Gravity::warning;
    [[nodiscard]] std::string message() const;
};

// "name=value" given on a command line (-o) or implied ("stress" = "yes"); they win over main.cf.
using Overrides = std::map<std::string, std::string, std::less<>>;

class Config {
public:
    // Reads <directory>/main.cf. Fails on the first problem that makes values unusable: unreadable file, bad syntax,
    // a number, boolean or time that does not parse or is out of bounds, a reference loop.
    static std::expected<Config, Problem> load(std::string directory, Overrides overrides = {});
    // The same with this text in the place of the file's.
    static std::expected<Config, Problem> load_text(std::string directory, std::string_view main_cf,
                                                    Overrides overrides = {});
    // For tests: text in place of the file.
    static std::expected<Config, Problem> from_text(std::string_view main_cf, Overrides overrides = {});

    Config(Config&&) noexcept;
    Config& operator=(Config&&) noexcept;
    ~Config();

    // Typed, expanded, bounded. References stay valid as long as the Config.
    [[nodiscard]] const std::string& get(const StringParameter&) const;
    [[nodiscard]] long get(const IntegerParameter&) const;
    [[nodiscard]] bool get(const BooleanParameter&) const;
    [[nodiscard]] std::chrono::milliseconds get(const TimeParameter&) const;

    // Service-suffix parameters: NAME_destination_concurrency_limit and the like. `fallback` is the default_* one
    // whose value counts when main.cf does not set transport + suffix ("smtp" + "_destination_concurrency_limit").
    [[nodiscard]] long get_for(std::string_view transport, std::string_view suffix,
                               const IntegerParameter& fallback) const;
    [[nodiscard]] std::chrono::milliseconds get_for(std::string_view transport, std::string_view suffix,
                                                    const TimeParameter& fallback) const;
    [[nodiscard]] const std::string& get_for(std::string_view transport, std::string_view suffix,
                                             const StringParameter& fallback) const;

    // The unexpanded text that main.cf or an override sets; nothing when the default holds.
    [[nodiscard]] std::optional<std::string> explicit_text(std::string_view name) const;
    // The unexpanded text that holds: set, computed from the machine, or the default (of a suffixed name: of the
    // default_* parameter). Nothing when the name exists nowhere.
    [[nodiscard]] std::optional<std::string> text_of(std::string_view name) const;
    // The names that main.cf or an override sets, sorted.
    [[nodiscard]] std::vector<std::string> explicit_names() const;
    // Any name, known, suffixed or the user's own: its expanded value, nothing when it exists nowhere.
    [[nodiscard]] std::optional<std::string> value(std::string_view name) const;
    // $name, ${name?..}, ${{a} == {b} ? {c} : {d}} and functions in a text of the user's.
    [[nodiscard]] std::expected<std::string, Problem> expand(std::string_view text) const;

    // The same main.cf with further overrides, as a service with -o or under stress reads it.
    [[nodiscard]] std::expected<Config, Problem> with(const Overrides& more) const;

    [[nodiscard]] const std::string& directory() const; // the configuration directory
    [[nodiscard]] const std::string& source() const;    // main.cf's text as it was read; empty after with()
    // Warnings gathered while loading: unknown names, planned features that are set, legacy names.
    [[nodiscard]] const std::vector<Problem>& warnings() const;

    // The line of main.cf that sets a name; 0 when none does, or an override does.
    [[nodiscard]] int line_of(std::string_view name) const;

private:
    struct State;
    explicit Config(std::shared_ptr<State> state);
    std::shared_ptr<State> state_;
};

// Where the configuration is: -c, else MAIL_CONFIG, else /etc/postfix.
std::string configuration_directory(std::optional<std::string> from_command_line);

} // namespace facteur::config
