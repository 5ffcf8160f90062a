// postsuper's command line. Source: postsuper(1); --where and its kin are ours.
#pragma once

#include "tools/postsuper/operations.h"

#include <optional>
#include <string>
#include <vector>

namespace facteur::postsuper {

struct Request {
    Operation operation;
    std::string id; // or "ALL", or "-"; empty where --where chooses, which is the same as "ALL"
};

struct RuleOptions {
    std::optional<std::string> add; // a selection
    std::optional<std::string> action;
    std::optional<std::string> duration;
    std::optional<std::string> remove; // a number
    bool list = false;
    [[nodiscard]] bool any() const { return add || remove || list || action || duration; }
};

struct Options {
    std::optional<std::string> directory;
    std::vector<Request> requests;
    std::vector<std::string> queues;
    std::optional<std::string> where;
    RuleOptions rules;
    Mode mode = Mode::perform;
    bool json = false;
    bool structure = false;
    bool purge = false;
    int verbosity = 0;
    bool wrong = false;  // an unknown option
    std::string problem; // of our own options: what does not go together
};
Options parse_options(int argc, char** argv);

} // namespace facteur::postsuper
