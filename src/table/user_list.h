// Lists of users, as authorized_submit_users and its sisters hold them: names, tables, "!name", "static:all".
#pragma once

#include "config/config.h"

#include <expected>
#include <string>
#include <string_view>

namespace facteur::table {

// Error: a table that cannot be read, or a list that cannot be understood.
[[nodiscard]] std::expected<bool, std::string>
user_is_listed(std::string_view name, const config::StringParameter& parameter, const config::Config& config);

} // namespace facteur::table
