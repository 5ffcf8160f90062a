// Rules that judge the client's name and address.
#include "daemons/smtpd/restrictions/families.h"
#include "daemons/smtpd/restrictions/judge.h"

namespace facteur::smtpd::client_rules {

event::Task<Verdict> permit_mynetworks(Judge& judge, const Step& step, const Subject& subject)
{
    if (!Context::matches(judge.context().lists->mynetworks, judge.facts().client))
        co_return Verdict::dunno;
    co_return judge.permit(step.name, {}, subject);
}

event::Task<Verdict> permit_inet_interfaces(Judge& judge, const Step& step, const Subject& subject)
{
    if (!judge.context().is_own_address(judge.facts().client.address))
        co_return Verdict::dunno;
    co_return judge.permit(step.name, {}, subject);
}

event::Task<Verdict> permit_sasl_authenticated(Judge& judge, const Step& step, const Subject& subject)
{
    if (judge.facts().sasl_username.empty())
        co_return Verdict::dunno;
    co_return judge.permit(step.name, {}, subject);
}

event::Task<Verdict> reject_unknown_client_hostname(Judge& judge, const Step&, const Subject&)
{
    const Client& client = judge.facts().client;
    if (client.name != "unknown")
        co_return Verdict::dunno;
    const long code = client.name_status == NameStatus::temporary ? 450 : judge.settings().unknown_client_code;
    co_return judge.refuse(Judge::Fault::policy, code, "4.7.25",
                           fmt::format("Client host rejected: cannot find your hostname, [{}]", client.address));
}

event::Task<Verdict> reject_unknown_reverse_client_hostname(Judge& judge, const Step&, const Subject&)
{
    const Client& client = judge.facts().client;
    if (client.reverse_name != "unknown")
        co_return Verdict::dunno;
    const long code = client.reverse_name_status == NameStatus::temporary ? 450 : judge.settings().unknown_client_code;
    co_return judge.refuse(
        Judge::Fault::policy, code, "4.7.25",
        fmt::format("Client host rejected: cannot find your reverse hostname, [{}]", client.address));
}

} // namespace facteur::smtpd::client_rules
