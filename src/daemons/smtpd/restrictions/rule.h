// Restriction lists as data: "permit_mynetworks, check_client_access hash:/x, reject" becomes three steps, each a rule
// of the one table in rule.cc and, where the rule takes one, its argument. Source: SMTPD_ACCESS_README, postconf(5).
#pragma once

#include "event/task.h"

#include <string>
#include <string_view>
#include <vector>

namespace facteur::smtpd {

class Context;
class Judge;
class Lookup;
struct Step;

// What a rule says of a request. ok ends the list in the client's favour, reject against it.
enum class Verdict { dunno, ok, reject };

// Whom a refusal is about: "<name>: class rejected: ...".
struct Subject {
    std::string name;
    std::string_view class_name; // one of subject_class
};
namespace subject_class {
inline constexpr std::string_view client = "Client host";
inline constexpr std::string_view helo = "Helo command";
inline constexpr std::string_view sender = "Sender address";
inline constexpr std::string_view recipient = "Recipient address";
inline constexpr std::string_view etrn = "Etrn command";
inline constexpr std::string_view data = "Data command";
inline constexpr std::string_view end_of_data = "End-of-data";
} // namespace subject_class

using RuleFunction = event::Task<Verdict> (*)(Judge& judge, const Step& step, const Subject& subject);

enum class Argument { none, table, word };

struct Rule {
    std::string_view name;
    RuleFunction apply;
    Argument argument = Argument::none;
    bool final = false;   // permit, reject, defer: what follows is never reached
    bool planned = false; // known by name, has no effect yet: warned of at start
};

struct Step {
    const Rule* rule = nullptr; // null: a class, or a name that nobody knows
    std::string name;
    std::string argument;
    Lookup* table = nullptr;
};
using RuleList = std::vector<Step>;

// The parsed smtpd_*_restrictions.
struct RestrictionLists {
    RuleList client, helo, sender, relay, recipient, data, end_of_data, etrn;
};

// Watches requests being judged: for a judgement without a client, which nobody else must hear of.
class Observer {
public:
    virtual ~Observer() = default;
    virtual void begins(const RuleList& rules) = 0; // one of the configuration's own lists
    // False: the step is left out, as if it had nothing to say.
    virtual bool may_judge(const Step& step) = 0;
    virtual void judged(const Step& step, Verdict verdict, int depth) = 0; // depth 1: a step of the list itself
};

const Rule* find_rule(std::string_view name);

// `implied` is what a bare "type:table" means in this list: "check_client_access". Opens the tables it names.
RuleList parse_rules(Context& context, std::string_view text, std::string_view implied);

} // namespace facteur::smtpd
