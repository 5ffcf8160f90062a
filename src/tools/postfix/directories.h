// The directories an instance needs and who owns them. Source: postfix-files(5)'s rows for the queue.
#pragma once

#include "config/config.h"
#include "service/privileges.h"

#include <sys/types.h>

#include <array>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::postfix_command {

// Whose a file is to be. All of them are the caller when an ordinary user runs the instance.
enum class Owner { root, mail_owner };
enum class Group { unchanged, setgid_group };

struct QueueDirectory {
    std::string_view name; // below the queue directory
    Owner owner;
    Group group;
    mode_t mode;
};

inline constexpr auto kQueueDirectories = std::to_array<QueueDirectory>({
    {"active", Owner::mail_owner, Group::unchanged, 0700},
    {"bounce", Owner::mail_owner, Group::unchanged, 0700},
    {"corrupt", Owner::mail_owner, Group::unchanged, 0700},
    {"defer", Owner::mail_owner, Group::unchanged, 0700},
    {"deferred", Owner::mail_owner, Group::unchanged, 0700},
    {"flush", Owner::mail_owner, Group::unchanged, 0700},
    {"hold", Owner::mail_owner, Group::unchanged, 0700},
    {"incoming", Owner::mail_owner, Group::unchanged, 0700},
    {"journal", Owner::mail_owner, Group::unchanged, 0700},
    {"maildrop", Owner::mail_owner, Group::setgid_group, 0730},
    {"pid", Owner::root, Group::unchanged, 0755},
    {"private", Owner::mail_owner, Group::unchanged, 0700},
    {"public", Owner::mail_owner, Group::setgid_group, 0710},
    {"saved", Owner::mail_owner, Group::unchanged, 0700},
    {"trace", Owner::mail_owner, Group::unchanged, 0700},
});

// Who the names in main.cf are. Without root both stand for nobody: nothing is given away.
struct Identities {
    bool privileged = false;
    std::optional<service::Account> mail_owner;
    std::optional<gid_t> setgid_group;
};
std::expected<Identities, std::string> find_identities(const config::Config& config);

// Makes what is missing, with the right owner and mode. What exists keeps its own unless `repair` says otherwise.
enum class Existing { keep, repair };
std::expected<void, std::string> make_directories(const config::Config& config, const Identities& who,
                                                  Existing existing);

// A secondary instance leaves the files that it shares to the primary one. Source: postfix-wrapper(5).
bool shares_programs(const config::Config& config);

// The programs that users run with the group's rights.
std::expected<void, std::string> repair_programs(const config::Config& config, const Identities& who);

// Everything odd about owners and modes, a line each ("not owned by root: /etc/postfix/main.cf"). `thorough` looks at
// every queue file too, which takes long on a big queue.
enum class Depth { directories, thorough };
std::vector<std::string> ownership_warnings(const config::Config& config, const Identities& who, Depth depth);

} // namespace facteur::postfix_command
