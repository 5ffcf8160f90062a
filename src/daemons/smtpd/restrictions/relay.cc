// Relay control: whom mail is accepted for. Source: SMTPD_ACCESS_README, ADDRESS_CLASS_README.
#include "daemons/smtpd/restrictions/families.h"
#include "daemons/smtpd/restrictions/judge.h"
#include "ipc/flags.h"

namespace facteur::smtpd::relay {

namespace {

namespace flag = ipc::resolve_flag;

enum class Destination { ours, foreign, unknown_now };

event::Task<Destination> destination_of(Judge& judge, std::string recipient)
{
    const auto resolved = co_await judge.resolve(std::move(recipient));
    if (!resolved)
        co_return Destination::unknown_now;
    if (resolved->recipient().find('@') == std::string::npos)
        co_return Destination::ours;
    // user@domain@us: who knows where it ends up.
    if (!judge.settings().allow_untrusted_routing && (resolved->flags() & flag::routed) != 0)
        co_return Destination::foreign;
    const bool ours = (resolved->flags() & (flag::final_destination | flag::relay)) != 0;
    co_return ours ? Destination::ours : Destination::foreign;
}

event::Task<Verdict> deny_foreign(Judge& judge, long code, std::string_view status)
{
    if (!judge.facts().recipient)
        co_return Verdict::dunno;
    const std::string recipient = *judge.facts().recipient;
    const Destination destination = co_await destination_of(judge, recipient);
    if (destination == Destination::unknown_now)
        co_return judge.lookup_failed(recipient);
    if (destination == Destination::ours)
        co_return Verdict::dunno;
    co_return judge.refuse(Judge::Fault::policy, code, status, fmt::format("<{}>: Relay access denied", recipient));
}

} // namespace

event::Task<Verdict> permit_auth_destination(Judge& judge, const Step& step, const Subject& subject)
{
    if (!judge.facts().recipient)
        co_return Verdict::dunno;
    const std::string recipient = *judge.facts().recipient;
    const Destination destination = co_await destination_of(judge, recipient);
    if (destination == Destination::unknown_now)
        co_return judge.lookup_failed(recipient);
    co_return destination == Destination::ours ? judge.permit(step.name, {}, subject) : Verdict::dunno;
}

event::Task<Verdict> reject_unauth_destination(Judge& judge, const Step&, const Subject&)
{
    const Verdict verdict = co_await deny_foreign(judge, judge.settings().relay_code, "5.7.1");
    co_return verdict;
}

event::Task<Verdict> defer_unauth_destination(Judge& judge, const Step&, const Subject&)
{
    const Verdict verdict = co_await deny_foreign(judge, judge.settings().relay_code - 100, "4.7.1");
    co_return verdict;
}

} // namespace facteur::smtpd::relay
