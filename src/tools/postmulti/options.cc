#include "tools/postmulti/options.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace facteur::postmulti {

namespace {

constexpr auto kActions = std::to_array<std::pair<std::string_view, Action>>({
    {"create", Action::create},
    {"destroy", Action::destroy},
    {"import", Action::import},
    {"deport", Action::deport},
    {"enable", Action::enable},
    {"disable", Action::disable},
    {"assign", Action::assign},
    {"init", Action::init},
});

// Options that stand for a choice of one out of several, gathered before it is known whether they were one.
struct Found {
    int modes = 0;
    int selections = 0;
    std::string_view action;
};

std::string usage(std::string_view program)
{
    return fmt::format(
        "Usage:{0} -l [-v] [-a] [-g group] [-i instance] | {0} -p [-v] [-a] [-g group] [-i instance] command... | {0} "
        "-x "
        "[-v] [-a] [-i name] [-g group] command... | {0} -e action [-v] [-a] [-i name] [-g group] [-I name] [-G group] "
        "[param=value ...]",
        program);
}

void choose(Options& options, Found& found, Mode mode)
{
    options.mode = mode;
    ++found.modes;
}

void choose(Options& options, Found& found, Selection selection)
{
    options.selection = std::move(selection);
    ++found.selections;
}

// False: no option of ours.
bool take(Options& options, Found& found, int letter)
{
    switch (letter) {
    case 'a':
        choose(options, found, Selection{Selection::Kind::all, {}});
        return true;
    case 'c':
        options.directory = optarg;
        return true;
    case 'e':
        choose(options, found, Mode::edit);
        found.action = optarg;
        return true;
    case 'g':
        choose(options, found, Selection{Selection::Kind::group, optarg});
        return true;
    case 'G':
        options.new_group = optarg;
        return true;
    case 'i':
        choose(options, found, Selection{Selection::Kind::name, optarg});
        return true;
    case 'I':
        options.new_name = optarg;
        return true;
    case 'l':
        choose(options, found, Mode::list);
        return true;
    case 'p':
        choose(options, found, Mode::postfix);
        return true;
    case 'R':
        options.reverse = true;
        return true;
    case 'v':
        ++options.verbosity;
        return true;
    case 'x':
        choose(options, found, Mode::command);
        return true;
    default:
        return false;
    }
}

// What is wrong with an edit; empty: nothing.
std::string check_edit(Options& options, std::string_view action)
{
    const auto known = std::ranges::find(kActions, action, &std::pair<std::string_view, Action>::first);
    if (known == kActions.end())
        return fmt::format("Invalid '-e' edit action '{}'. Specify 'create', 'destroy', 'import', 'deport', 'enable', "
                           "'disable', 'assign' or 'init'",
                           action);
    options.action = known->second;
    const bool adds = options.action == Action::create || options.action == Action::import;
    if (!adds && options.action != Action::init && options.selection.kind != Selection::Kind::name)
        return "Select an instance via '-i name'";
    const bool names = options.new_name || options.new_group;
    if (names && !adds && options.action != Action::assign)
        return fmt::format("Cannot assign instance name or group with '-e {}'", action);
    if (!names && options.action == Action::assign)
        return "Specify new instance name or group with '-e assign'";
    if (!adds && !options.arguments.empty())
        return fmt::format("Parameter overrides not valid with '-e {}'", action);
    if (options.new_name && !options.new_name->empty() && *options.new_name != "-" &&
        !options.new_name->starts_with("postfix-"))
        return "New instance name must start with 'postfix-'";
    return {};
}

std::string check_iteration(const Options& options)
{
    if (options.new_name || options.new_group)
        return "Cannot assign instance name or group without '-e assign'";
    if (options.mode == Mode::list && !options.arguments.empty())
        return "Command not allowed with '-l'";
    if (options.mode != Mode::list && options.arguments.empty())
        return "Command required with '-p' or '-x' option";
    return {};
}

} // namespace

std::expected<Options, std::string> parse_options(int argc, char** argv)
{
    Options options;
    Found found;
    int letter = 0;
    while ((letter = ::getopt(argc, argv, "+ac:e:g:G:i:I:lpRvx")) > 0)
        if (!take(options, found, letter))
            return std::unexpected(usage(argv[0]));
    options.arguments.assign(argv + std::min(optind, argc), argv + argc);
    if (found.modes != 1)
        return std::unexpected("Specify exactly one of '-e', '-l', '-p', '-x'");
    if (found.selections > 1)
        return std::unexpected("Specify no more than one of '-a', '-g', '-i'");
    if (options.reverse && (options.mode == Mode::edit || options.mode == Mode::postfix))
        return std::unexpected("The '-p' and '-e' options preclude the use of '-R'");
    std::string wrong = options.mode == Mode::edit ? check_edit(options, found.action) : check_iteration(options);
    if (!wrong.empty())
        return std::unexpected(std::move(wrong));
    return options;
}

} // namespace facteur::postmulti
