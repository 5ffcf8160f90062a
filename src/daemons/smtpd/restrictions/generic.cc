// Rules that need to know nothing.
#include "base/text.h"
#include "daemons/smtpd/restrictions/families.h"
#include "daemons/smtpd/restrictions/judge.h"

namespace facteur::smtpd::generic {

namespace {

std::string about(const Subject& subject, std::string_view what)
{
    return fmt::format("<{}>: {} rejected: {}", subject.name, subject.class_name, what);
}

} // namespace

event::Task<Verdict> dunno(Judge&, const Step&, const Subject&)
{
    co_return Verdict::dunno;
}

event::Task<Verdict> permit(Judge& judge, const Step& step, const Subject& subject)
{
    co_return judge.permit(step.name, {}, subject);
}

event::Task<Verdict> reject(Judge& judge, const Step&, const Subject& subject)
{
    co_return judge.refuse(Judge::Fault::policy, judge.settings().reject_code, "5.7.1",
                           about(subject, "Access denied"));
}

event::Task<Verdict> defer(Judge& judge, const Step&, const Subject& subject)
{
    co_return judge.refuse(Judge::Fault::policy, judge.settings().defer_code, "4.3.2",
                           about(subject, "Try again later"));
}

event::Task<Verdict> defer_if_permit(Judge& judge, const Step&, const Subject& subject)
{
    co_return judge.doubt_if_permit(450, "4.7.0", about(subject, "defer_if_permit requested"));
}

event::Task<Verdict> defer_if_reject(Judge& judge, const Step&, const Subject& subject)
{
    co_return judge.doubt_if_reject(450, "4.7.0", about(subject, "defer_if_reject requested"));
}

event::Task<Verdict> reject_unauth_pipelining(Judge& judge, const Step&, const Subject& subject)
{
    if (!judge.facts().pipelined_too_early)
        co_return Verdict::dunno;
    co_return judge.refuse(Judge::Fault::policy, 503, "5.5.0",
                           about(subject, "Improper use of SMTP command pipelining"));
}

event::Task<Verdict> reject_plaintext_session(Judge& judge, const Step&, const Subject& subject)
{
    co_return judge.refuse(Judge::Fault::policy, judge.settings().plaintext_code, "4.7.1",
                           about(subject, "Session encryption is required"));
}

event::Task<Verdict> sleep(Judge& judge, const Step& step, const Subject&)
{
    constexpr long kLongest = 30;
    const long seconds = text::to_long(step.argument).value_or(0);
    co_await judge.context().loop.sleep(std::chrono::seconds(std::clamp(seconds, 0L, kLongest)));
    co_return Verdict::dunno;
}

} // namespace facteur::smtpd::generic
