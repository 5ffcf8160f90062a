#include "tools/postconf/options.h"

#include "base/log.h"
#include "base/text.h"
#include "config/logical_lines.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>

namespace facteur::postconf {

namespace {

struct Letter {
    char letter;
    std::uint32_t flag;
};

constexpr std::array<Letter, 24> kLetters{{
    {'a', sasl_servers},
    {'A', sasl_clients},
    {'b', expand_templates},
    {'C', classes},
    {'d', defaults},
    {'e', edit},
    {'f', fold},
    {'F', master_fields},
    {'h', hide_names},
    {'H', hide_values},
    {'j', json},
    {'l', locks},
    {'m', maps},
    {'M', master_entries},
    {'n', explicit_only},
    {'o', overrides},
    {'p', main_parameters},
    {'P', master_parameters},
    {'q', quiet},
    {'t', dump_templates},
    {'T', tls},
    {'x', evaluate},
    {'X', exclude},
    {'#', comment_out},
}};

constexpr std::uint32_t kMajor = sasl_servers | sasl_clients | expand_templates | dump_templates | locks | maps | tls |
                                 main_parameters | master_entries | master_fields | master_parameters;
constexpr std::uint32_t kEditing = edit | exclude | comment_out;

// At most one of each row.
constexpr auto kExclusive = std::to_array<std::uint32_t>({
    kMajor,
    defaults | explicit_only | kEditing,
    fold | kEditing,
    evaluate | kEditing,
    hide_names | kEditing,
    hide_values | kEditing,
    json | kEditing,
    hide_names | hide_values,
});

// What goes with a major mode; modes that are not listed take no modifier.
struct Companions {
    std::uint32_t mode;
    std::uint32_t modifiers;
};
constexpr auto kCompanions = std::to_array<Companions>({
    {main_parameters, kEditing | fold | hide_names | hide_values | evaluate | defaults | explicit_only | classes |
                          overrides | json | quiet},
    {master_entries, kEditing | fold | evaluate | overrides | json | quiet},
    {master_fields, edit | fold | hide_names | hide_values | evaluate | overrides | json | quiet},
    {master_parameters, edit | exclude | fold | hide_names | hide_values | evaluate | overrides | json | quiet},
});

std::string letters_of(std::uint32_t flags)
{
    std::string out;
    for (const auto& [letter, flag] : kLetters)
        if ((flags & flag) != 0)
            out += fmt::format("{}-{}", out.empty() ? "" : " ", letter);
    return out;
}

std::string usage(std::string_view program)
{
    return fmt::format(
        "usage: {} [-a (server SASL types)] [-A (client SASL types)] [-b (bounce templates)] [-c config_dir] "
        "[-c param_class] [-d (parameter defaults)] [-e (edit configuration)] [-f (fold lines)] [-F (master.cf "
        "fields)] "
        "[-h (no names)] [-H (no values)] [-j (JSON output)] [-l (lock types)] [-m (map types)] [-M (master.cf)] "
        "[-n (non-default parameters)] [-o name=value (override parameter value)] [-p (main.cf, default)] "
        "[-P (master.cf parameters)] [-q (no warnings)] [-t (bounce templates)] "
        "[-T compile-version|run-version|public-key-algorithms] [-v (verbose)] [-x (expand parameter values)] "
        "[-X (exclude)] [-# (comment-out)] [name...]",
        program);
}

std::expected<std::uint32_t, std::string> parse_classes(std::string_view list)
{
    std::uint32_t out = 0;
    for (const auto word : text::split(list, ", \t\r\n")) {
        if (word == "builtin")
            out |= kClassBuiltin;
        else if (word == "service")
            out |= kClassService;
        else if (word == "user")
            out |= kClassUser;
        else if (word == "all")
            out |= kAllClasses;
        else
            return std::unexpected(fmt::format("unknown -C option value \"{}\" in \"{}\"", word, list));
    }
    return out;
}

// Options that take an argument, and -v; false for a letter of kLetters alone.
Result take_argument(char letter, std::string_view argument, Options& options)
{
    if (letter == 'c') {
        options.directory = argument;
    } else if (letter == 'C') {
        const auto chosen = parse_classes(argument);
        if (!chosen)
            return std::unexpected(chosen.error());
        options.classes = *chosen;
    } else if (letter == 'o') {
        const auto [name, value, error] = config::split_name_value(argument);
        if (!error.empty())
            return std::unexpected(fmt::format("invalid parameter override: {}: {}", argument, error));
        options.overrides.emplace_back(name, value);
    } else if (letter == 'T') {
        options.tls_mode = argument;
    } else if (letter == 'v') {
        log::set_verbosity(log::verbosity() + 1);
    }
    return {};
}

Result check_combination(const Options& options)
{
    for (const auto row : kExclusive) {
        const auto chosen = options.flags & row;
        if ((chosen & (chosen - 1)) != 0)
            return std::unexpected(fmt::format("specify one of {}", letters_of(chosen)));
    }
    const auto mode = options.flags & kMajor;
    std::uint32_t allowed = mode;
    for (const auto& each : kCompanions)
        if (each.mode == mode)
            allowed |= each.modifiers;
    if (const auto alien = options.flags & ~allowed; alien != 0)
        return std::unexpected(fmt::format("with option {}, do not specify {}", letters_of(mode), letters_of(alien)));
    return {};
}

} // namespace

std::expected<Options, std::string> parse_options(int argc, char** argv)
{
    Options options;
    for (int letter; (letter = ::getopt(argc, argv, "+aAbc:C:deE#fFhHjlmMno:pPqtT:vxX")) > 0;) {
        const auto known = std::ranges::find(kLetters, static_cast<char>(letter), &Letter::letter);
        if (known == kLetters.end() && letter != 'c' && letter != 'v')
            return std::unexpected(usage(argv[0]));
        if (known != kLetters.end())
            options.flags |= known->flag;
        if (auto good = take_argument(static_cast<char>(letter), ::optarg != nullptr ? ::optarg : "", options); !good)
            return std::unexpected(good.error());
    }
    for (int i = ::optind; i < argc; ++i)
        options.arguments.emplace_back(argv[i]);
    if (!options.has(kMajor))
        options.flags |= main_parameters;
    const bool may_edit = options.has(main_parameters | master_entries | master_fields | master_parameters);
    if (may_edit && !options.arguments.empty() && options.arguments[0].find('=') != std::string::npos)
        options.flags |= edit;
    auto checked = options;
    // -p is what the absence of a mode means; messages do not name what was not written.
    if (auto good = check_combination(checked); !good)
        return std::unexpected(good.error());
    return options;
}

} // namespace facteur::postconf
