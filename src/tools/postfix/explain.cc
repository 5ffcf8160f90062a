#include "tools/postfix/explain.h"

#include "base/log.h"
#include "base/text.h"
#include "config/cidr.h"
#include "routing/address_mapping.h"
#include "tools/postfix/control.h"

#include <sysexits.h>

#include <algorithm>
#include <set>

namespace facteur::postfix_command {

namespace {

using config::Config;
using config::MasterEntry;

constexpr std::string_view kUsage =
    "usage: postfix explain [--json] parameter... | postfix explain [--json] [-s sender] [-c client_address] "
    "[-r] address...";

struct Request {
    Question question;
    bool json = false;
    std::vector<std::string> parameters;
    std::vector<std::string> addresses;
};

std::optional<Request> parse(const std::vector<std::string>& words)
{
    Request request;
    for (std::size_t i = 0; i < words.size(); ++i) {
        const std::string& word = words[i];
        if (word == "--json" || word == "-j") {
            request.json = true;
        } else if (word == "-s" || word == "-c" || word == "-r") {
            if (++i == words.size())
                return std::nullopt;
            if (word == "-s")
                request.question.sender = words[i] == "<>" ? "" : words[i];
            else if (word == "-c")
                request.question.client = words[i];
            else
                request.addresses.push_back(words[i]);
        } else if (word.starts_with('-')) {
            return std::nullopt;
        } else {
            (word.find('@') == word.npos ? request.parameters : request.addresses).push_back(word);
        }
    }
    if (request.parameters.empty() && request.addresses.empty())
        return std::nullopt;
    return request;
}

// What the service of this name and its -o settings make of main.cf.
std::expected<Config, std::string> config_of(const Config& config, const std::vector<MasterEntry>& services,
                                             std::string_view name)
{
    const MasterEntry* const service = config::find_transport(services, name);
    auto with = config.with(service == nullptr ? config::Overrides{} : service->overrides());
    if (!with)
        return std::unexpected(with.error().message());
    return std::move(*with);
}

// cleanup's work on one envelope.
class Rewriter {
public:
    explicit Rewriter(const Config& config)
        : settings_(routing::read_mapping_settings(config)), tables_(routing::open_mapping_tables(config))
    {
    }

    std::expected<std::vector<std::string>, std::string> rewrite(AddressExplanation& out)
    {
        const std::string& given = out.question.sender;
        out.sender = complete(given, out.sender_rewritings);
        if (!given.empty()) {
            auto mapped = mapping(out.sender_rewritings)
                              .canonical(out.sender, mail::AddressRole::header_sender, "envelope_sender");
            if (!mapped)
                return std::unexpected(mapped.error().text);
            out.sender = std::move(*mapped);
        }
        auto recipients = recipients_of(out.question.recipient, out.rewritings);
        if (!recipients)
            return recipients;
        const auto copies = mapping(out.rewritings).blind_copies(out.sender, *recipients);
        if (!copies)
            return std::unexpected(copies.error().text);
        for (const std::string& copy : *copies) {
            const auto more = recipients_of(copy, out.rewritings);
            if (!more)
                return more;
            recipients->insert(recipients->end(), more->begin(), more->end());
        }
        std::set<std::string> met;
        std::erase_if(*recipients, [&met](const auto& each) { return !met.insert(text::to_lower(each)).second; });
        return recipients;
    }

private:
    routing::AddressMapping mapping(std::vector<Rewriting>& steps)
    {
        return {settings_, tables_, [&steps](const routing::MappingStep& step) {
                    steps.push_back({std::string(step.parameter), step.from, step.to});
                }};
    }

    std::string complete(const std::string& address, std::vector<Rewriting>& steps)
    {
        std::string full = mapping(steps).complete(address);
        if (full != address)
            steps.push_back({"myorigin, append_dot_mydomain, swap_bangpath, allow_percent_hack", address, full});
        return full;
    }

    std::expected<std::vector<std::string>, std::string> recipients_of(const std::string& address,
                                                                       std::vector<Rewriting>& steps)
    {
        auto mapped = mapping(steps).canonical(complete(address, steps), mail::AddressRole::header_recipient,
                                               "envelope_recipient");
        if (!mapped)
            return std::unexpected(mapped.error().text);
        auto expanded = mapping(steps).expand(*mapped);
        if (!expanded)
            return std::unexpected(expanded.error().text);
        return std::move(*expanded);
    }

    routing::MappingSettings settings_;
    routing::MappingTables tables_;
};

int explain_parameters(const Context& context, const Request& request)
{
    std::vector<MasterEntry> services;
    if (auto entries = config::load_master_cf(context.config))
        services = std::move(*entries);
    else
        log::warning("{}", entries.error().message());
    int status = 0;
    for (const std::string& name : request.parameters) {
        const auto explanation = config::explain_parameter(context.config, services, name);
        fmt::print("{}", request.json ? to_json(context.config, explanation) : to_text(context.config, explanation));
        if (explanation.origin == config::Origin::unknown)
            status = 1;
    }
    return status;
}

int explain_addresses(const Context& context, Request request)
{
    if (!config::Address::parse(request.question.client)) {
        fmt::print(stderr, "postfix: fatal: bad client address: {}\n", request.question.client);
        return EX_USAGE;
    }
    for (const std::string& address : request.addresses) {
        request.question.recipient = address;
        const auto explanation = explain_address(context.config, request.question);
        if (!explanation) {
            fmt::print(stderr, "postfix: fatal: {}\n", explanation.error());
            return 1;
        }
        fmt::print("{}", request.json ? to_json(*explanation) : to_text(*explanation));
    }
    return 0;
}

// A question is nobody's business but the one's who asks.
class ErrorOutput final : public log::Sink {
public:
    void write(log::Severity, std::string_view, std::string_view text) override
    {
        fmt::print(stderr, "postfix: {}\n", text);
    }
};

} // namespace

std::expected<AddressExplanation, std::string> explain_address(const Config& config, const Question& question)
{
    const auto services = config::load_master_cf(config);
    if (!services)
        return std::unexpected(services.error().message());
    const auto cleanup = config_of(config, *services, config.get(config::params::cleanup_service_name));
    const auto rewrite = config_of(config, *services, config.get(config::params::rewrite_service_name));
    const auto queue = config_of(config, *services, config.get(config::params::queue_service_name));
    for (const auto* each : {&cleanup, &rewrite, &queue})
        if (!*each)
            return std::unexpected(each->error());
    AddressExplanation out;
    out.question = question;
    const auto recipients = Rewriter(*cleanup).rewrite(out);
    if (!recipients)
        return std::unexpected(recipients.error());
    for (const std::string& recipient : *recipients) {
        auto route = explain_route(*rewrite, *queue, *services, out.sender, recipient);
        if (!route)
            return std::unexpected(route.error());
        out.routes.push_back(std::move(*route));
    }
    out.content_filter = config.get(config::params::content_filter);
    out.judgements = judge_services(config, *services, question);
    return out;
}

int explain(const Context& context)
{
    log::set_sink(std::make_unique<ErrorOutput>());
    auto request = parse(context.arguments);
    if (!request) {
        fmt::print(stderr, "postfix: fatal: {}\n", kUsage);
        return EX_USAGE;
    }
    int status = request->parameters.empty() ? 0 : explain_parameters(context, *request);
    if (!request->addresses.empty())
        status = std::max(status, explain_addresses(context, std::move(*request)));
    return status;
}

} // namespace facteur::postfix_command
