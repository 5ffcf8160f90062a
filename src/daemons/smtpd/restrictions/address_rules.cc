// Rules that judge the form of sender and recipient.
#include "daemons/smtpd/names.h"
#include "daemons/smtpd/restrictions/families.h"
#include "daemons/smtpd/restrictions/judge.h"
#include "mail/address.h"

namespace facteur::smtpd::address_rules {

namespace {

Verdict need_full_domain(Judge& judge, const std::string& address, std::string_view class_name)
{
    const std::string_view domain = without_final_dot(mail::split_address(address).domain);
    if (domain.starts_with('[') || (valid_hostname(domain) && domain.find('.') != domain.npos))
        return Verdict::dunno;
    return judge.refuse(Judge::Fault::policy, judge.settings().non_fqdn_code, "5.5.2",
                        fmt::format("<{}>: {} rejected: need fully-qualified address", address, class_name));
}

} // namespace

event::Task<Verdict> reject_non_fqdn_sender(Judge& judge, const Step&, const Subject&)
{
    const auto& sender = judge.facts().sender;
    if (!sender || sender->empty())
        co_return Verdict::dunno;
    co_return need_full_domain(judge, *sender, subject_class::sender);
}

event::Task<Verdict> reject_non_fqdn_recipient(Judge& judge, const Step&, const Subject&)
{
    const auto& recipient = judge.facts().recipient;
    if (!recipient || recipient->empty())
        co_return Verdict::dunno;
    co_return need_full_domain(judge, *recipient, subject_class::recipient);
}

event::Task<Verdict> reject_multi_recipient_bounce(Judge& judge, const Step&, const Subject& subject)
{
    const Facts& facts = judge.facts();
    const std::size_t allowed = judge.is_being_judged("RCPT") ? 0 : 1;
    if (!facts.sender || !facts.sender->empty() || facts.recipient_count <= allowed)
        co_return Verdict::dunno;
    co_return judge.refuse(Judge::Fault::policy, judge.settings().multi_recipient_bounce_code, "5.5.3",
                           fmt::format("<{}>: {} rejected: Multi-recipient bounce", subject.name, subject.class_name));
}

} // namespace facteur::smtpd::address_rules
