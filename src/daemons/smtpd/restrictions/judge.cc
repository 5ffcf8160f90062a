#include "daemons/smtpd/restrictions/judge.h"

#include "base/log.h"
#include "base/text.h"
#include "daemons/smtpd/restrictions/families.h"
#include "ipc/flags.h"
#include "smtp/path.h"
#include "smtp/reply.h"

namespace facteur::smtpd {

namespace {

constexpr int kMaxDepth = 100;
constexpr std::size_t kMaxReply = 510;

// Sets a fact for the time of one judgement.
class Lend {
public:
    Lend(std::optional<std::string>& place, std::optional<std::string> value)
        : place_(place), kept_(std::exchange(place, std::move(value)))
    {
    }
    ~Lend() { place_ = std::move(kept_); }
    Lend(const Lend&) = delete;
    Lend& operator=(const Lend&) = delete;

private:
    std::optional<std::string>& place_;
    std::optional<std::string> kept_;
};

} // namespace

std::string make_refusal(const ReplyParts& parts, bool soft_bounce)
{
    std::string reply = fmt::format("{} {} {}", parts.code, parts.status, parts.text);
    const auto status = smtp::parse_enhanced_status(parts.status);
    if (parts.code < 400 || parts.code > 599) {
        log::warning("SMTP reply code configuration error: {}", reply);
        reply = "450 4.7.1 Service unavailable";
    } else if (!status) {
        log::warning("DSN detail code configuration error: {}", reply);
        reply = "450 4.7.1 Service unavailable";
    }
    if (reply.size() > kMaxReply)
        reply.resize(kMaxReply);
    for (char& c : reply)
        if (static_cast<unsigned char>(c) < 32 || c == 127)
            c = ' ';
    if (soft_bounce && reply[0] == '5')
        reply[0] = '4';
    reply[4] = reply[0]; // the code is older and wins
    return reply;
}

void Judge::log_action(std::string_view action, std::string_view text) const
{
    std::string line = fmt::format("{}: {}: {} from {}: {};", facts_.queue_id.empty() ? "NOQUEUE" : facts_.queue_id,
                                   action, facts_.where, facts_.client.shown, text);
    if (facts_.sender)
        line += fmt::format(" from=<{}>", *facts_.sender);
    if (facts_.recipient)
        line += fmt::format(" to=<{}>", *facts_.recipient);
    line += fmt::format(" proto={}", facts_.protocol);
    if (facts_.helo_name)
        line += fmt::format(" helo=<{}>", *facts_.helo_name);
    if (!facts_.sasl_username.empty())
        line += fmt::format(" sasl_username=<{}>", facts_.sasl_username);
    log::info("{}", line);
}

Verdict Judge::refuse(Fault fault, long code, std::string_view status, std::string_view text)
{
    const bool only_warn = warn_depth_ > 0 && fault != Fault::software && fault != Fault::resource;
    std::string reply = make_refusal({code, status, text}, false);
    if (!only_warn && if_reject_.active && reply[0] == '5') {
        // The doubt of an earlier rule may be why we got here at all: tell it instead.
        const Doubt earlier = std::exchange(if_reject_, {});
        warn_depth_ = 0;
        return refuse(Fault::policy, earlier.code, earlier.status, earlier.text);
    }
    if (settings().soft_bounce && reply[0] == '5')
        reply[0] = reply[4] = '4';
    log_action(only_warn ? "reject_warning" : "reject", reply);
    if (only_warn)
        return Verdict::dunno;
    reply_ = std::move(reply);
    return Verdict::reject;
}

Verdict Judge::server_error()
{
    return refuse(Fault::software, 451, "4.3.5", "Server configuration error");
}

Verdict Judge::lookup_failed(std::string_view subject)
{
    return refuse(Fault::resource, 451, "4.3.0", fmt::format("<{}>: Temporary lookup failure", subject));
}

Verdict Judge::raise(Doubt& doubt, long code, std::string_view status, std::string_view text)
{
    if (warn_depth_ > 0)
        return refuse(Fault::policy, code, status, text); // only logs
    if (!doubt.active)                                    // the first reason counts
        doubt = {true, code, std::string(status), std::string(text)};
    return Verdict::dunno;
}

Verdict Judge::doubt_if_permit(long code, std::string_view status, std::string_view text)
{
    return raise(if_permit_, code, status, text);
}

Verdict Judge::doubt_if_reject(long code, std::string_view status, std::string_view text)
{
    return raise(if_reject_, code, status, text);
}

Verdict Judge::permit(std::string_view rule, std::string_view argument, const Subject& subject)
{
    const std::string& wanted = context_.config.get(config::params::smtpd_log_access_permit_actions);
    if (!wanted.empty())
        for (const std::string_view word : text::split_list(wanted))
            if (text::iequals(word, rule) || word == "static:all") {
                const std::string_view space = argument.empty() ? "" : " ";
                log_action("permit", fmt::format("action={}{}{} for {}={}", rule, space, argument, subject.class_name,
                                                 subject.name));
            }
    return Verdict::ok;
}

event::Task<std::optional<ipc::ResolveReply>> Judge::resolve(std::string address)
{
    if (!smtp::plain_address(address)) {
        auto complete = co_await context_.services->rewrite("local", address);
        if (!complete)
            co_return std::nullopt;
        address = std::move(*complete);
    }
    std::string sender = facts_.sender.value_or("");
    auto resolved = co_await context_.services->resolve(std::move(sender), std::move(address));
    if (!resolved || (resolved->flags() & ipc::resolve_flag::failed) != 0)
        co_return std::nullopt;
    resolved->set_recipient(text::to_lower(resolved->recipient()));
    co_return std::move(*resolved);
}

event::Task<Verdict> Judge::one_step(const Step& step, const Subject& subject)
{
    if (context_.observer && !context_.observer->may_judge(step))
        co_return Verdict::dunno;
    if (step.rule) {
        const Verdict verdict = co_await step.rule->apply(*this, step, subject);
        co_return verdict;
    }
    const auto found = context_.classes.find(step.name);
    if (found != context_.classes.end()) {
        const Verdict verdict = co_await run(found->second, subject);
        co_return verdict;
    }
    log::warning("unknown smtpd restriction: \"{}\"", step.name);
    co_return server_error();
}

event::Task<Verdict> Judge::run(const RuleList& rules, const Subject& subject)
{
    if (depth_ >= kMaxDepth) {
        log::warning("restriction list for {} nests too deep", subject.name);
        co_return server_error();
    }
    ++depth_;
    Verdict verdict = Verdict::dunno;
    for (const Step& step : rules) {
        if (facts_.actions.discard)
            break;
        if (text::iequals(step.name, "warn_if_reject")) {
            if (warn_depth_ == 0)
                warn_depth_ = depth_;
            continue;
        }
        verdict = co_await one_step(step, subject);
        if (context_.observer)
            context_.observer->judged(step, verdict, depth_);
        if (warn_depth_ >= depth_)
            warn_depth_ = 0; // it covers one restriction
        if (verdict != Verdict::dunno || (if_permit_.active && if_reject_.active))
            break;
    }
    --depth_;
    co_return verdict;
}

event::Task<Verdict> Judge::apply_text(std::string text, const Subject& subject, std::string_view implied)
{
    const RuleList rules = parse_rules(context_, text, implied);
    const Verdict verdict = co_await run(rules, subject);
    co_return verdict;
}

event::Task<Verdict> Judge::apply(const RuleList& rules, const Subject& subject)
{
    depth_ = 0;
    warn_depth_ = 0;
    if_reject_.active = false;
    if (rules.empty())
        co_return Verdict::dunno;
    if (context_.observer)
        context_.observer->begins(rules);
    const Verdict verdict = co_await run(rules, subject);
    co_return verdict;
}

void Judge::forget()
{
    if_permit_ = {};
    if_reject_ = {};
    doubt_of_client_ = doubt_of_helo_ = doubt_of_sender_ = false;
}

event::Task<Judge::Refusal> Judge::client()
{
    if_permit_.active = false;
    const Subject subject{facts_.client.shown, subject_class::client};
    const Verdict verdict = co_await apply(context_.restrictions.client, subject);
    doubt_of_client_ = if_permit_.active;
    co_return refusal(verdict);
}

event::Task<Judge::Refusal> Judge::helo(std::string name)
{
    if_permit_.active = doubt_of_client_;
    if (context_.restrictions.helo.empty()) {
        doubt_of_helo_ = if_permit_.active;
        co_return Refusal();
    }
    const Lend lent(facts_.helo_name, name);
    const Subject subject{name, subject_class::helo};
    const Verdict verdict = co_await apply(context_.restrictions.helo, subject);
    doubt_of_helo_ = if_permit_.active;
    co_return refusal(verdict);
}

event::Task<Judge::Refusal> Judge::sender(std::string address)
{
    if_permit_.active = doubt_of_helo_;
    sender_checked_ = false;
    const Lend lent(facts_.sender, address);
    const Subject subject{address, subject_class::sender};
    Verdict verdict = co_await apply(context_.restrictions.sender, subject);
    doubt_of_sender_ = if_permit_.active;
    if (verdict != Verdict::reject && settings().reject_unlisted_sender && !sender_checked_ && !facts_.actions.discard)
        verdict = co_await listed::check(*this, address, subject_class::sender);
    co_return refusal(verdict);
}

event::Task<Judge::Refusal> Judge::recipient(std::string address)
{
    const Lend lent(facts_.recipient, address);
    recipient_checked_ = !settings().reject_unlisted_recipient || !settings().check_recipients;
    if (settings().delay_reject) {
        Refusal refused = co_await client();
        if (!refused && facts_.helo_name)
            refused = co_await helo(*facts_.helo_name);
        if (!refused && facts_.sender)
            refused = co_await sender(*facts_.sender);
        if (refused)
            co_return refused;
    }
    Refusal refused = co_await relay_and_recipient(address);
    co_return refused;
}

event::Task<Judge::Refusal> Judge::relay_and_recipient(const std::string& address)
{
    const RuleList* lists[] = {&context_.restrictions.relay, &context_.restrictions.recipient};
    if (!settings().relay_before_recipient)
        std::swap(lists[0], lists[1]);
    if_permit_.active = doubt_of_sender_;
    Verdict verdict = Verdict::dunno;
    for (const RuleList* list : lists) {
        const Subject subject{address, subject_class::recipient};
        verdict = co_await apply(*list, subject);
        if (verdict == Verdict::reject)
            co_return refusal(verdict);
    }
    if (if_permit_.active && !facts_.actions.discard) {
        verdict = refuse(Fault::policy, if_permit_.code, if_permit_.status, if_permit_.text);
        co_return refusal(verdict);
    }
    if (!recipient_checked_ && !facts_.actions.discard) {
        const Verdict known = co_await listed::check(*this, address, subject_class::recipient);
        co_return refusal(known);
    }
    co_return Refusal();
}

event::Task<Judge::Refusal> Judge::data()
{
    if (context_.restrictions.data.empty())
        co_return Refusal();
    // With several recipients none of them is the one that is judged.
    const Lend lent(facts_.recipient, facts_.recipient_count == 1 ? facts_.recipient : std::nullopt);
    if_permit_.active = false;
    const Subject subject{"DATA", subject_class::data};
    Verdict verdict = co_await apply(context_.restrictions.data, subject);
    if (verdict != Verdict::reject && if_permit_.active)
        verdict = refuse(Fault::policy, if_permit_.code, if_permit_.status, if_permit_.text);
    co_return refusal(verdict);
}

event::Task<Judge::Refusal> Judge::end_of_data()
{
    if (context_.restrictions.end_of_data.empty())
        co_return Refusal();
    const Lend lent(facts_.recipient, facts_.recipient_count == 1 ? facts_.recipient : std::nullopt);
    if_permit_.active = false;
    const Subject subject{"END-OF-MESSAGE", subject_class::end_of_data};
    Verdict verdict = co_await apply(context_.restrictions.end_of_data, subject);
    if (verdict != Verdict::reject && if_permit_.active)
        verdict = refuse(Fault::policy, if_permit_.code, if_permit_.status, if_permit_.text);
    co_return refusal(verdict);
}

event::Task<Judge::Refusal> Judge::etrn(std::string domain)
{
    const Lend lent(facts_.etrn_name, domain);
    if (settings().delay_reject) {
        Refusal refused = co_await client();
        if (!refused && facts_.helo_name)
            refused = co_await helo(*facts_.helo_name);
        if (refused)
            co_return refused;
    }
    if_permit_.active = doubt_of_helo_;
    const Subject subject{domain, subject_class::etrn};
    Verdict verdict = co_await apply(context_.restrictions.etrn, subject);
    if (verdict != Verdict::reject && if_permit_.active)
        verdict = refuse(Fault::policy, if_permit_.code, if_permit_.status, if_permit_.text);
    co_return refusal(verdict);
}

} // namespace facteur::smtpd
