// The command line of postmulti(1): exactly one mode, at most one selection, names only where an instance is edited.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <vector>

namespace facteur::postmulti {

enum class Mode { list, postfix, command, edit };
enum class Action { init, create, import, destroy, deport, enable, disable, assign };

struct Selection {
    enum class Kind { none, all, group, name };
    Kind kind = Kind::none;
    std::string name; // of the group or instance; "-" is the primary instance
};

struct Options {
    std::optional<std::string> directory; // -c: another primary instance than the default one
    Mode mode = Mode::list;
    Action action = Action::init;
    Selection selection;
    bool reverse = false;
    int verbosity = 0;
    std::optional<std::string> new_name;  // -I; "-": none from now on
    std::optional<std::string> new_group; // -G; "-": none from now on
    std::vector<std::string> arguments;   // the command, or name=value
};

// Error: what is wrong, in Postfix's words.
std::expected<Options, std::string> parse_options(int argc, char** argv);

} // namespace facteur::postmulti
