// Who may relay: the restriction lists of each service, read as a stranger meets them.
#include "base/text.h"
#include "config/check.h"
#include "config/cidr.h"
#include "config/master_cf.h"
#include "config/restriction_names.h"

#include <fmt/format.h>

#include <array>

namespace facteur::config {

namespace {

constexpr int kClassDepth = 20;

bool is_loopback(std::string_view host)
{
    if (host.starts_with('[') && host.ends_with(']'))
        host = host.substr(1, host.size() - 2);
    return host.starts_with("127.") || host == "localhost" || host == "::1";
}

// Whether anything but this machine can reach the service.
bool is_public(const MasterEntry& entry, const Config& config)
{
    if (entry.type == SocketType::pass)
        return true; // behind postscreen
    if (entry.type != SocketType::inet)
        return false;
    const auto colon = entry.name.rfind(':');
    if (colon != entry.name.npos && colon > 0)
        return !is_loopback(std::string_view(entry.name).substr(0, colon));
    const auto interfaces = text::split_list(config.get(params::inet_interfaces));
    return !std::ranges::all_of(interfaces,
                                [](std::string_view each) { return each == "loopback-only" || is_loopback(each); });
}

// The element of mynetworks that every client is in; empty when there is none.
std::string_view everyone(std::string_view networks)
{
    for (const auto word : text::split_list(networks)) {
        if (word == "static:all")
            return word;
        if (const auto network = Network::parse(word); network && network->prefix == 0)
            return word;
    }
    return {};
}

enum class Outcome { undecided, let_through, stopped };

// One list as a client meets it that is in no table and in no network but those that hold everyone.
Outcome stranger_meets(std::string_view list, const Config& config, bool trusts_everyone, int depth = 0)
{
    bool only_warns = false;
    for (const auto& step : restriction_steps(list)) {
        const bool softened = std::exchange(only_warns, text::iequals(step.name, "warn_if_reject"));
        if (step.known == nullptr) {
            const auto body = step.name.empty() || depth >= kClassDepth ? std::nullopt : config.value(step.name);
            if (!body)
                continue;
            if (const auto outcome = stranger_meets(*body, config, trusts_everyone, depth + 1);
                outcome != Outcome::undecided && !(softened && outcome == Outcome::stopped))
                return outcome;
            continue;
        }
        if (step.known->stops_strangers && !softened)
            return Outcome::stopped;
        if (text::iequals(step.name, "permit") || (trusts_everyone && text::iequals(step.name, "permit_mynetworks")))
            return Outcome::let_through;
    }
    return Outcome::undecided;
}

bool relays_for_strangers(const Config& config)
{
    const bool trusts_everyone = !everyone(config.get(params::mynetworks)).empty();
    return std::ranges::none_of(std::array{&params::smtpd_client_restrictions, &params::smtpd_helo_restrictions,
                                           &params::smtpd_sender_restrictions, &params::smtpd_relay_restrictions,
                                           &params::smtpd_recipient_restrictions},
                                [&](const auto* list) {
                                    return stranger_meets(config.get(*list), config, trusts_everyone) ==
                                           Outcome::stopped;
                                });
}

Problem open_relay(const Config& service, const Config& config, const MasterEntry& entry)
{
    Problem problem{.gravity = Gravity::refused};
    const auto overrides = entry.overrides();
    const auto network = everyone(service.get(params::mynetworks));
    const bool by_network = !network.empty();
    const std::string_view parameter = by_network ? params::mynetworks.name : params::smtpd_relay_restrictions.name;
    if (overrides.contains(parameter)) {
        problem.file = config.directory() + "/master.cf";
        problem.line = entry.line;
    } else if (const int line = config.line_of(parameter); line > 0) {
        problem.file = config.directory() + "/main.cf";
        problem.line = line;
    }
    const auto reason =
        by_network
            ? fmt::format("mynetworks = {}: {} contains every client; list only networks of your own",
                          service.get(params::mynetworks), network)
            : fmt::format("smtpd_relay_restrictions = {}: neither it nor smtpd_recipient_restrictions stops strangers "
                          "with reject_unauth_destination, defer_unauth_destination, reject, defer or defer_if_permit; "
                          "add reject_unauth_destination",
                          service.get(params::smtpd_relay_restrictions));
    problem.text = fmt::format("open relay: service {}: {}, or set allow_open_relay = yes if this is wanted",
                               entry.service_key(), reason);
    return problem;
}

} // namespace

std::optional<Problem> find_open_relay(const Config& config)
{
    if (config.get(params::allow_open_relay))
        return std::nullopt;
    const auto entries = load_master_cf(config);
    if (!entries)
        return std::nullopt; // nothing can start: another problem says so
    for (const auto& entry : *entries) {
        if (entry.program != "smtpd" || !is_public(entry, config))
            continue;
        const auto service = config.with(entry.overrides());
        if (service && relays_for_strangers(*service))
            return open_relay(*service, config, entry);
    }
    return std::nullopt;
}

} // namespace facteur::config
