// What an administrator decided about mail that is still to come: "hold everything from this account for two hours".
//
// postsuper writes the rules, each with a selection and an end, to one file in the data directory; cleanup reads it
// before it lets a message in. Format: docs/formats/standing-rules.md. The first rule that chooses a message decides.
#pragma once

#include "base/error.h"
#include "base/fd.h"
#include "queue/queue_file.pb.h"
#include "queue/selection.h"

#include <sys/stat.h>

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::queue {

inline constexpr const char* kStandingRulesFile = "standing_rules";

enum class RuleAction { hold, remove, expire };
std::string_view action_name(RuleAction action); // "hold", "delete", "expire"
std::optional<RuleAction> parse_action(std::string_view name);

struct StandingRule {
    unsigned number = 0; // what --rule-remove takes; never used twice while a rule with a higher one lives
    std::int64_t created_seconds = 0;
    std::int64_t expires_seconds = 0; // it counts before, not at this time
    RuleAction action = RuleAction::hold;
    Selection where;
};

// The file's text. Lines that make no sense are passed over and described in `problems`.
struct ParsedRules {
    std::vector<StandingRule> rules;
    std::vector<std::string> problems;
};
ParsedRules parse_rules(std::string_view text);
std::string format_rules(const std::vector<StandingRule>& rules);

// What a rule may ask is what is known when a message arrives. The error points at a field that is not (reason, queue,
// transport, age).
std::optional<SelectionError> unfit_for_rules(const Selection& where);

class StandingRules {
public:
    // `data_directory` stays open, so that the file is found from inside a chroot too.
    static std::expected<StandingRules, SystemError> open(const std::string& data_directory);

    // --- the reading side ---
    // Reads the file again if it changed; one fstatat(2) when it did not. No file: no rules. On an error the rules stay
    // as they were. Problems in the file are logged as warnings, once a version of the file.
    std::expected<void, SystemError> refresh();

    struct Decision {
        RuleAction action;
        unsigned rule; // for the log line
    };
    // Nothing: let it pass. `size` is that of the content; `now` in seconds since the epoch. A rule that cannot be
    // decided (an expression that took too many steps) does not choose the message.
    [[nodiscard]] std::optional<Decision> decide(const Envelope& envelope, std::string_view queue_id,
                                                 std::uint64_t size, std::int64_t now) const;
    [[nodiscard]] const std::vector<StandingRule>& rules() const { return rules_; }

    // --- the writing side ---
    // Both take the file's lock, read it, leave out what is over at `now`, and replace the file in one step.
    std::expected<unsigned, SystemError> add(RuleAction action, Selection where, std::int64_t expires_seconds,
                                             std::int64_t now);                 // the new rule's number
    std::expected<bool, SystemError> remove(unsigned number, std::int64_t now); // false: no such rule

private:
    explicit StandingRules(UniqueFd directory) : directory_(std::move(directory)) {}
    std::expected<void, SystemError> read();
    std::expected<UniqueFd, SystemError> lock();
    std::expected<void, SystemError> write(std::int64_t now);

    UniqueFd directory_;
    std::vector<StandingRule> rules_;
    struct ::stat seen_{}; // of the file as it was read; zero: there was none
};

} // namespace facteur::queue
