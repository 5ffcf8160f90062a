// What an alias stands for: a list of addresses, :include: files, files and commands. Source: aliases(5).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace facteur::local {

struct Destination {
    enum class Kind { address, include, file, command };
    Kind kind = Kind::address;
    std::string text; // the address in internal form, the path, or the command
    bool operator==(const Destination&) const = default;
};

// `joe, "|/bin/x a b", :include:/list, /var/file, Joe <joe@b>`
std::vector<Destination> parse_destinations(std::string_view list);

// A file of such lists: a line each, # comments.
std::vector<Destination> parse_include(std::string_view text);

} // namespace facteur::local
