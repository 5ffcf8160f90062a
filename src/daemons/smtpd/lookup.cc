#include "daemons/smtpd/lookup.h"

namespace facteur::smtpd {

template <typename Ask>
event::Task<Lookup::Result> Lookup::ask(Ask& question)
{
    if (!maps_.blocking()) {
        Result now = question();
        co_return std::move(now);
    }
    std::mutex& alone = one_at_a_time_;
    auto work = [&question, &alone]() -> Result {
        const std::lock_guard lock(alone);
        return question();
    };
    auto later = pool_.run(work);
    Result result = co_await later;
    co_return std::move(result);
}

event::Task<Lookup::Result> Lookup::find(std::string key, table::Maps::Patterns patterns)
{
    auto question = [&] { return maps_.find(key, patterns); };
    Result result = co_await ask(question);
    co_return std::move(result);
}

event::Task<Lookup::Result> Lookup::find_domain(std::string domain, table::Maps::Parents parents)
{
    auto question = [&] { return maps_.find_domain(domain, parents); };
    Result result = co_await ask(question);
    co_return std::move(result);
}

event::Task<Lookup::Result> Lookup::find_address(std::string address, const std::string& delimiter,
                                                 const LocalDomain& local_domain)
{
    auto question = [&] { return maps_.find_address(address, delimiter, local_domain); };
    Result result = co_await ask(question);
    co_return std::move(result);
}

} // namespace facteur::smtpd
