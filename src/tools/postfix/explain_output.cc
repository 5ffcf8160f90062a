// Explanations as text for a person and as JSON, one object a line.
#include "config/params.h"
#include "tools/postfix/explain.h"
#include "tools/postfix/json.h"

#include <fmt/ranges.h>

#include <iterator>

namespace facteur::postfix_command {

namespace {

using config::Config;
using config::Origin;
using config::ParameterExplanation;

// Two columns: what, and why.
void put(std::string& out, int indent, std::string_view what, std::string_view why = {})
{
    constexpr int kWhyColumn = 44;
    const std::string left = fmt::format("{:{}}{}", "", indent, what);
    if (why.empty())
        fmt::format_to(std::back_inserter(out), "{}\n", left);
    else
        fmt::format_to(std::back_inserter(out), "{:<{}} {}\n", left, kWhyColumn, why);
}

std::string place(const Config& config, std::string_view file, int line)
{
    return fmt::format("{}/{}, line {}", config.directory(), file, line);
}

std::string where_from(const Config& config, const ParameterExplanation& explanation)
{
    switch (explanation.origin) {
    case Origin::main_cf:
        return explanation.line > 0 ? place(config, "main.cf", explanation.line) : "an override";
    case Origin::standard:
        return explanation.depends_on_level ? fmt::format("default, for compatibility_level = {}",
                                                          config.get(config::params::compatibility_level))
                                            : "default";
    case Origin::computed:
        return "default, computed from this machine";
    case Origin::fallback:
        return fmt::format("not set; {} counts", explanation.fallback);
    case Origin::unknown:
        break;
    }
    return "unknown parameter";
}

std::string origin_text(const Config& config, Origin origin, int line)
{
    return origin == Origin::main_cf && line > 0 ? place(config, "main.cf", line) : std::string(to_string(origin));
}

std::string_view status_text(config::Status status)
{
    switch (status) {
    case config::Status::present:
        return "works";
    case config::Status::planned:
        return "its feature does not exist yet";
    case config::Status::unused:
        return "has no effect here";
    case config::Status::obsolete:
        break;
    }
    return "no longer used";
}

std::string shown_address(std::string_view address)
{
    return address.empty() ? std::string("<>") : std::string(address);
}

void put_rewritings(std::string& out, std::string_view title, const std::vector<Rewriting>& steps)
{
    if (steps.empty())
        return;
    put(out, 0, title);
    for (const Rewriting& step : steps)
        put(out, 2, fmt::format("{} -> {}", shown_address(step.from), step.to), step.by);
}

void put_route(std::string& out, const Route& route)
{
    put(out, 0, fmt::format("route of {}", route.recipient));
    if (route.transport.value.empty()) {
        put(out, 2, "bad address syntax: mail is returned to its sender");
        return;
    }
    put(out, 2, "class: " + route.address_class.value, route.address_class.by);
    put(out, 2, "transport: " + route.transport.value, route.transport.by);
    put(out, 2, "nexthop: " + route.nexthop.value, route.nexthop.by);
    if (route.error)
        put(out, 2, "bad address syntax: it begins with '-'", "allow_min_user");
    put(out, 2, "service: " + (route.service.empty() ? "none in master.cf: mail waits" : route.service));
    for (const Limit& limit : route.limits)
        put(out, 2, fmt::format("{} = {}", limit.name, limit.value), limit.from);
    for (const std::string& warning : route.warnings)
        put(out, 2, "warning: " + warning);
}

std::string_view verdict_text(std::string_view verdict)
{
    if (verdict == "ok")
        return "accepts, the rest of this list does not count";
    if (verdict == "reject")
        return "refuses";
    if (verdict == "skipped")
        return "not asked: it needs DNS or another service";
    return verdict == "planned" ? "has no effect yet" : "has no opinion";
}

std::string_view outcome_text(Judgement::Outcome outcome)
{
    switch (outcome) {
    case Judgement::Outcome::accept:
        return "accepts";
    case Judgement::Outcome::reject:
        return "refuses";
    case Judgement::Outcome::unknown:
        break;
    }
    return "unknown";
}

void put_judgement(std::string& out, const Judgement& judgement)
{
    put(out, 2,
        fmt::format("{}, master.cf line {}: {}{}{}", judgement.service, judgement.line, outcome_text(judgement.outcome),
                    judgement.text.empty() ? "" : ": ", judgement.text));
    std::string_view list;
    for (const RestrictionVerdict& step : judgement.steps) {
        if (step.list != list)
            put(out, 4, list = step.list);
        put(out, 4 + 2 * step.depth,
            step.argument.empty() ? step.restriction : fmt::format("{} {}", step.restriction, step.argument),
            verdict_text(step.verdict));
        if (!step.text.empty())
            put(out, 6 + 2 * step.depth, step.text);
    }
}

std::string json(const Rewriting& step)
{
    return json_object({{"by", json_string(step.by)}, {"from", json_string(step.from)}, {"to", json_string(step.to)}});
}
std::string json(const Decision& decision)
{
    return json_object({{"value", json_string(decision.value)}, {"by", json_string(decision.by)}});
}
std::string json(const Limit& limit)
{
    return json_object(
        {{"name", json_string(limit.name)}, {"value", json_string(limit.value)}, {"from", json_string(limit.from)}});
}
std::string json(const std::string& text)
{
    return json_string(text);
}
std::string json(const RestrictionVerdict& step)
{
    return json_object({{"list", json_string(step.list)},
                        {"depth", fmt::to_string(step.depth)},
                        {"restriction", json_string(step.restriction)},
                        {"argument", json_string(step.argument)},
                        {"verdict", json_string(step.verdict)},
                        {"text", json_string(step.text)}});
}

std::string json(const Route& route);
std::string json(const Judgement& judgement);
std::string json(const config::Reference& reference);
std::string json(const config::ServiceValue& service);

template <typename T>
std::string json(const std::vector<T>& values)
{
    std::vector<std::string> out;
    for (const T& value : values)
        out.push_back(json(value));
    return json_array(out);
}

std::string json(const Route& route)
{
    return json_object({{"recipient", json_string(route.recipient)},
                        {"error", json_boolean(route.error)},
                        {"class", json(route.address_class)},
                        {"transport", json(route.transport)},
                        {"nexthop", json(route.nexthop)},
                        {"service", json_string(route.service)},
                        {"limits", json(route.limits)},
                        {"warnings", json(route.warnings)}});
}
std::string json(const Judgement& judgement)
{
    return json_object({{"service", json_string(judgement.service)},
                        {"line", fmt::to_string(judgement.line)},
                        {"outcome", json_string(outcome_text(judgement.outcome))},
                        {"text", json_string(judgement.text)},
                        {"steps", json(judgement.steps)}});
}
std::string json(const config::Reference& reference)
{
    return json_object({{"depth", fmt::to_string(reference.depth)},
                        {"name", json_string(reference.name)},
                        {"text", json_string(reference.text)},
                        {"value", json_string(reference.value)},
                        {"origin", json_string(to_string(reference.origin))},
                        {"line", fmt::to_string(reference.line)}});
}
std::string json(const config::ServiceValue& service)
{
    return json_object({{"service", json_string(service.service)},
                        {"line", fmt::to_string(service.line)},
                        {"override", json_string(service.override_name)},
                        {"text", json_string(service.override_text)},
                        {"value", json_string(service.value)}});
}

} // namespace

std::string to_text(const Config& config, const ParameterExplanation& explanation)
{
    std::string out;
    if (explanation.origin == Origin::unknown) {
        put(out, 0,
            fmt::format("{}: unknown parameter{}", explanation.name,
                        explanation.nearest.empty() ? std::string()
                                                    : fmt::format(" (is it {}?)", explanation.nearest)));
        return out;
    }
    put(out, 0, fmt::format("{} = {}", explanation.name, explanation.value));
    put(out, 2, "from: " + where_from(config, explanation));
    if (explanation.text != explanation.value)
        put(out, 2, "text: " + explanation.text);
    for (const auto& each : explanation.references)
        put(out, 2 + 2 * each.depth, fmt::format("${} = {}", each.name, each.value),
            origin_text(config, each.origin, each.line));
    for (const auto& each : explanation.services)
        put(out, 2,
            fmt::format("in service {} ({}): {}", each.service, place(config, "master.cf", each.line), each.value),
            fmt::format("-o {}={}", each.override_name, each.override_text));
    if (const auto* known = explanation.known) {
        put(out, 2, "type: " + config::describe_type(*known));
        put(out, 2, fmt::format("read by: {}", known->read_by));
        if (!known->since.empty())
            put(out, 2, fmt::format("since: {}", known->since));
        put(out, 2, fmt::format("status: {}", status_text(known->status)));
        put(out, 2, fmt::format("what: {}", known->doc));
    } else {
        put(out, 2, "type: a name of this configuration's own");
    }
    return out;
}

std::string to_json(const Config& config, const ParameterExplanation& explanation)
{
    JsonMembers members{{"name", json_string(explanation.name)},
                        {"value", json_string(explanation.value)},
                        {"text", json_string(explanation.text)},
                        {"origin", json_string(to_string(explanation.origin))},
                        {"from", json_string(where_from(config, explanation))},
                        {"line", fmt::to_string(explanation.line)},
                        {"references", json(explanation.references)},
                        {"services", json(explanation.services)},
                        {"nearest", json_string(explanation.nearest)}};
    if (const auto* known = explanation.known) {
        members.emplace_back("type", json_string(config::describe_type(*known)));
        members.emplace_back("read_by", json_string(known->read_by));
        members.emplace_back("since", json_string(known->since));
        members.emplace_back("status", json_string(status_text(known->status)));
        members.emplace_back("doc", json_string(known->doc));
    }
    return json_object(members) + "\n";
}

std::string to_text(const AddressExplanation& explanation)
{
    const Question& question = explanation.question;
    std::string out;
    put(out, 0, fmt::format("mail for {} from {}", question.recipient, shown_address(question.sender)));
    put_rewritings(out, "rewriting of the sender", explanation.sender_rewritings);
    put_rewritings(out, "rewriting of the recipient", explanation.rewritings);
    if (!explanation.content_filter.empty())
        put(out, 0, "content_filter = " + explanation.content_filter + ": new mail goes there first");
    for (const Route& route : explanation.routes)
        put_route(out, route);
    put(out, 0, fmt::format("acceptance of RCPT TO from client {}, not signed in", question.client));
    for (const Judgement& judgement : explanation.judgements)
        put_judgement(out, judgement);
    if (explanation.judgements.empty())
        put(out, 2, "master.cf has no smtpd that listens on the network");
    put(out, 0, "nothing was sent");
    return out;
}

std::string to_json(const AddressExplanation& explanation)
{
    const Question& question = explanation.question;
    return json_object({{"recipient", json_string(question.recipient)},
                        {"sender", json_string(question.sender)},
                        {"client", json_string(question.client)},
                        {"rewritten_sender", json_string(explanation.sender)},
                        {"sender_rewritings", json(explanation.sender_rewritings)},
                        {"rewritings", json(explanation.rewritings)},
                        {"content_filter", json_string(explanation.content_filter)},
                        {"routes", json(explanation.routes)},
                        {"acceptance", json(explanation.judgements)}}) +
           "\n";
}

} // namespace facteur::postfix_command
