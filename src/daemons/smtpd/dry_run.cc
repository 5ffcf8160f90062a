#include "daemons/smtpd/dry_run.h"

#include "base/log.h"
#include "base/text.h"
#include "daemons/smtpd/restrictions/judge.h"
#include "daemons/smtpd/standalone.h"
#include "ipc/resolve_reply.h"

#include <unistd.h>

#include <array>

namespace facteur::smtpd {

namespace {

constexpr std::string_view kWord = "explain";
constexpr std::size_t kArguments = 5;

// Keeps what is logged as the explanation of the step that logged it.
class KeepingSink final : public log::Sink {
public:
    explicit KeepingSink(std::shared_ptr<std::string> kept) : kept_(std::move(kept)) {}
    void write(log::Severity, std::string_view, std::string_view text) override
    {
        if (!kept_->empty())
            *kept_ += "; ";
        *kept_ += text;
    }

private:
    std::shared_ptr<std::string> kept_;
};

// Answers what trivial-rewrite would, from the tables of this process.
class LocalServices final : public StandaloneServices {
public:
    LocalServices(service::Process& process, const routing::RoutingTables& tables)
        : StandaloneServices(process), tables_(tables)
    {
    }
    event::Task<std::expected<std::string, ipc::IpcError>> rewrite(std::string context, std::string address) override
    {
        const auto where = context == "local" ? mail::RewriteContext::local : mail::RewriteContext::remote;
        co_return mail::rewrite(address, where, tables_.settings().rewrite);
    }
    event::Task<std::expected<ipc::ResolveReply, ipc::IpcError>> resolve(std::string sender,
                                                                         std::string address) override
    {
        co_return ipc::to_reply(mail::resolve(sender, address, tables_.settings()));
    }

private:
    const routing::RoutingTables& tables_;
};

Client client_of(const std::string& address)
{
    Client client;
    client.address = address;
    client.port = "0";
    if (address.starts_with("127.") || address == "::1") {
        client.name = client.reverse_name = "localhost";
        client.name_status = client.reverse_name_status = NameStatus::ok;
    }
    client.update_shown(false);
    return client;
}

void print(std::initializer_list<std::string_view> fields)
{
    std::string line;
    for (const std::string_view field : fields)
        line += (line.empty() ? "" : "\t") + text::printable(field, text::Utf8::allow);
    line += '\n';
    if (!write_all(STDOUT_FILENO, line, "standard output"))
        ::_exit(1); // nobody listens any more
}

std::string_view word_for(const Step& step, Verdict verdict)
{
    if (asks_others(step.name))
        return "skipped";
    if (step.rule && step.rule->planned)
        return "planned";
    switch (verdict) {
    case Verdict::ok:
        return "ok";
    case Verdict::reject:
        return "reject";
    case Verdict::dunno:
        break;
    }
    return "dunno";
}

} // namespace

bool asks_others(std::string_view restriction)
{
    const std::string name = text::to_lower(restriction);
    for (const std::string_view part :
         {"_rbl_", "_rhsbl_", "_dnswl_", "_rhswl_", "unverified", "reject_unknown_", "policy_service", "mx_backup"})
        if (name.find(part) != name.npos)
            return true;
    return name == "sleep" || name == "reject_unknown_client" || name.ends_with("_a_access") ||
           name.ends_with("_mx_access") || name.ends_with("_ns_access");
}

bool DryRun::is_wanted(const std::vector<std::string>& arguments)
{
    return arguments.size() == kArguments && arguments[0] == kWord;
}

std::expected<std::unique_ptr<DryRun>, std::string> DryRun::open(service::Process& process)
{
    std::unique_ptr<DryRun> dry_run(new DryRun(process.arguments));
    log::set_sink(std::make_unique<KeepingSink>(dry_run->log_));
    auto tables = routing::RoutingTables::open(process.config, routing::Purpose::delivery);
    if (!tables)
        return std::unexpected(tables.error());
    dry_run->tables_ = std::move(*tables);
    return dry_run;
}

std::unique_ptr<Services> DryRun::make_services(service::Process& process) const
{
    return std::make_unique<LocalServices>(process, *tables_);
}

std::string DryRun::take_log() const
{
    return std::exchange(*log_, {});
}

void DryRun::begins(const RuleList& rules)
{
    const std::pair<const RuleList*, std::string_view> names[] = {{&lists_->client, "smtpd_client_restrictions"},
                                                                  {&lists_->helo, "smtpd_helo_restrictions"},
                                                                  {&lists_->sender, "smtpd_sender_restrictions"},
                                                                  {&lists_->relay, "smtpd_relay_restrictions"},
                                                                  {&lists_->recipient, "smtpd_recipient_restrictions"}};
    for (const auto& [list, name] : names)
        if (list == &rules)
            list_ = name;
}

bool DryRun::may_judge(const Step& step)
{
    take_log();
    return !asks_others(step.name);
}

void DryRun::judged(const Step& step, Verdict verdict, int depth)
{
    print({"step", list_, std::to_string(depth), step.name, step.argument, word_for(step, verdict), take_log()});
}

event::Task<void> DryRun::run(Context& context)
{
    // The end of this task stops the loop, which has to run by then.
    co_await context.loop.sleep(event::milliseconds(1));
    context.observer = this;
    lists_ = &context.restrictions;
    Facts facts;
    facts.client = client_of(arguments_[1]);
    facts.helo_name = arguments_[2];
    facts.sender = arguments_[3];
    facts.protocol = "ESMTP";
    facts.where = "RCPT";
    const std::string recipient = arguments_[4];
    Judge judge(context, facts);
    Judge::Refusal refused;
    if (!context.settings.delay_reject) {
        refused = co_await judge.client();
        if (!refused)
            refused = co_await judge.helo(*facts.helo_name);
        if (!refused)
            refused = co_await judge.sender(*facts.sender);
    }
    if (!refused)
        refused = co_await judge.recipient(recipient);
    print({"end", refused ? "reject" : "accept", refused.value_or("")});
}

} // namespace facteur::smtpd
