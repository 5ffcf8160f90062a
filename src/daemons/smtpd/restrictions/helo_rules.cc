// Rules that judge the HELO name.
#include "daemons/smtpd/names.h"
#include "daemons/smtpd/restrictions/families.h"
#include "daemons/smtpd/restrictions/judge.h"

namespace facteur::smtpd::helo_rules {

namespace {

Verdict refuse(Judge& judge, long code, std::string_view name, std::string_view what)
{
    return judge.refuse(Judge::Fault::policy, code, "5.5.2",
                        fmt::format("<{}>: {} rejected: {}", name, subject_class::helo, what));
}

Verdict check_literal(Judge& judge, std::string_view name)
{
    if (literal_address(name))
        return Verdict::dunno;
    return refuse(judge, judge.settings().invalid_hostname_code, name, "invalid ip address");
}

} // namespace

event::Task<Verdict> reject_invalid_helo_hostname(Judge& judge, const Step&, const Subject&)
{
    if (!judge.facts().helo_name)
        co_return Verdict::dunno;
    const std::string& name = *judge.facts().helo_name;
    if (name.starts_with('['))
        co_return check_literal(judge, name);
    const std::string_view host = without_final_dot(name);
    if (valid_hostname(host) || valid_address(host))
        co_return Verdict::dunno;
    co_return refuse(judge, judge.settings().invalid_hostname_code, name, "Invalid name");
}

event::Task<Verdict> reject_non_fqdn_helo_hostname(Judge& judge, const Step&, const Subject&)
{
    if (!judge.facts().helo_name)
        co_return Verdict::dunno;
    const std::string& name = *judge.facts().helo_name;
    if (name.starts_with('['))
        co_return check_literal(judge, name);
    const std::string_view host = without_final_dot(name);
    if (valid_hostname(host) && host.find('.') != host.npos)
        co_return Verdict::dunno;
    co_return refuse(judge, judge.settings().non_fqdn_code, name, "need fully-qualified hostname");
}

} // namespace facteur::smtpd::helo_rules
