// postfix explain: why a parameter has its value, and which way mail for an address would go. Nothing is sent and no
// system needs to run.
#pragma once

#include "config/config.h"
#include "config/explain.h"
#include "config/master_cf.h"
#include "mail/rewrite.h"

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::postfix_command {

struct Question {
    std::string recipient;
    std::string sender;               // empty: the null sender
    std::string client = "192.0.2.1"; // of whom nothing is known
};

// One rewriting of one address, and the parameters that asked for it.
struct Rewriting {
    std::string by;
    std::string from;
    std::string to;
};

struct Limit {
    std::string name; // "smtp_destination_concurrency_limit"
    std::string value;
    std::string from; // "main.cf, line 3", "default", "default_destination_concurrency_limit"
};

// A fact and what decided it.
struct Decision {
    std::string value;
    std::string by;
};

struct Route {
    std::string recipient;
    bool error = false; // no mail can go to it
    Decision address_class;
    Decision transport;
    Decision nexthop;
    std::string service; // "smtp/unix, master.cf line 12: smtp, ..."; empty: master.cf has none
    std::vector<Limit> limits;
    std::vector<std::string> warnings;
};

struct RestrictionVerdict {
    std::string list;
    int depth = 1;
    std::string restriction;
    std::string argument;
    std::string verdict; // ok, reject, dunno; skipped: it would ask others; planned: it has no effect yet
    std::string text;
};

// What one smtpd service would say to RCPT TO.
struct Judgement {
    std::string service; // "smtp/inet"
    int line = 0;        // of master.cf
    enum class Outcome : std::uint8_t { accept, reject, unknown } outcome = Outcome::unknown;
    std::string text; // the reply, or why there is none
    std::vector<RestrictionVerdict> steps;
};

struct AddressExplanation {
    Question question;
    std::string sender; // as rewritten
    std::vector<Rewriting> sender_rewritings;
    std::vector<Rewriting> rewritings;
    std::vector<Route> routes; // one a recipient in the end
    std::string content_filter;
    std::vector<Judgement> judgements;
};

// Error: a table that cannot answer, a master.cf that does not parse.
std::expected<AddressExplanation, std::string> explain_address(const config::Config& config, const Question& question);

// Runs the smtpd of each service that takes mail from the network, without a client.
std::vector<Judgement> judge_services(const config::Config& config, const std::vector<config::MasterEntry>& services,
                                      const Question& question);

// Where mail for one address goes. `queue_config` is what the queue manager reads, for its limits.
std::expected<Route, std::string> explain_route(const config::Config& rewrite_config,
                                                const config::Config& queue_config,
                                                const std::vector<config::MasterEntry>& services,
                                                const std::string& sender, const std::string& recipient);

std::string to_text(const config::Config& config, const config::ParameterExplanation& explanation);
std::string to_json(const config::Config& config, const config::ParameterExplanation& explanation);
std::string to_text(const AddressExplanation& explanation);
std::string to_json(const AddressExplanation& explanation);

} // namespace facteur::postfix_command
