// Which names a parameter's text refers to: $name in all its forms, and the settings of database clients.
#pragma once

#include <expected>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::postconf {

using Names = std::set<std::string, std::less<>>;

// Adds the names after each '$', in every branch of conditional forms.
void collect_references(std::string_view text, Names& names);

// "ldap:people" in a text makes people_server_host and the like names that mean something: adds those for every
// database client named so. Clients whose name is a file's path are given back as "type path".
void collect_client_settings(std::string_view text, Names& names,
                             std::vector<std::pair<std::string, std::string>>& files);

} // namespace facteur::postconf
