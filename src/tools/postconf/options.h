// What a command line of postconf asks for.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace facteur::postconf {

using Result = std::expected<void, std::string>; // error: the text of a fatal line

// One bit an option, in the order in which messages list them.
enum Flag : std::uint32_t {
    sasl_servers = 1U << 0,
    sasl_clients = 1U << 1,
    expand_templates = 1U << 2,
    classes = 1U << 3,
    defaults = 1U << 4,
    edit = 1U << 5,
    fold = 1U << 6,
    master_fields = 1U << 7,
    hide_names = 1U << 8,
    hide_values = 1U << 9,
    json = 1U << 10,
    locks = 1U << 11,
    maps = 1U << 12,
    master_entries = 1U << 13,
    explicit_only = 1U << 14,
    overrides = 1U << 15,
    main_parameters = 1U << 16,
    master_parameters = 1U << 17,
    quiet = 1U << 18,
    dump_templates = 1U << 19,
    tls = 1U << 20,
    evaluate = 1U << 21,
    exclude = 1U << 22,
    comment_out = 1U << 23,
};

constexpr std::uint32_t kClassBuiltin = 1;
constexpr std::uint32_t kClassService = 2;
constexpr std::uint32_t kClassUser = 4;
constexpr std::uint32_t kAllClasses = 7;

struct Options {
    std::uint32_t flags = 0; // exactly one of the major modes is set
    std::uint32_t classes = kAllClasses;
    std::optional<std::string> directory;                       // -c
    std::vector<std::pair<std::string, std::string>> overrides; // -o, in order
    std::string tls_mode;
    std::vector<std::string> arguments;

    [[nodiscard]] bool has(std::uint32_t any_of) const { return (flags & any_of) != 0; }
};

std::expected<Options, std::string> parse_options(int argc, char** argv);

} // namespace facteur::postconf
