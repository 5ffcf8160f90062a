// What a local user may ask of set-gid programs. Source: postdrop(1), postconf(5) authorized_submit_users.
#pragma once

#include "config/config.h"

#include <expected>
#include <optional>
#include <string>

namespace facteur::service {

// A program that runs with rights its caller lacks must not read whatever configuration the caller names: a directory
// other than the default one has to be listed in the default main.cf. Error: two lines' worth of text, the second
// fatal.
struct UnauthorizedDirectory {
    std::string error;
    std::string fatal;
};
std::expected<void, UnauthorizedDirectory> authorize_directory(const std::string& directory);
// The same check for one that runs with its caller's rights but took the name from an option (sendmail -C).
std::expected<void, UnauthorizedDirectory> authorize_option(const std::string& directory);

// The caller's login name; nothing when it has none.
std::optional<std::string> login_name();

} // namespace facteur::service
