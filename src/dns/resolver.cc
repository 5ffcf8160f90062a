#include "dns/resolver.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"
#include "dns/name.h"

#include <unbound.h>

#include <algorithm>
#include <cstdlib>

namespace facteur::dns {

namespace {

constexpr int kClassInternet = 1;
constexpr int kNoServerAnswer = 2;                             // RCODE SERVFAIL
constexpr int kNameError = 3;                                  // RCODE NXDOMAIN
constexpr const char* kRootAnchor = "/usr/share/dns/root.key"; // package dns-root-data

// Zones that libunbound answers itself unless told not to. What the administrator's name server says about them counts.
constexpr const char* kOwnZones[] = {"test.",
                                     "home.arpa.",
                                     "10.in-addr.arpa.",
                                     "16.172.in-addr.arpa.",
                                     "17.172.in-addr.arpa.",
                                     "18.172.in-addr.arpa.",
                                     "19.172.in-addr.arpa.",
                                     "20.172.in-addr.arpa.",
                                     "21.172.in-addr.arpa.",
                                     "22.172.in-addr.arpa.",
                                     "23.172.in-addr.arpa.",
                                     "24.172.in-addr.arpa.",
                                     "25.172.in-addr.arpa.",
                                     "26.172.in-addr.arpa.",
                                     "27.172.in-addr.arpa.",
                                     "28.172.in-addr.arpa.",
                                     "29.172.in-addr.arpa.",
                                     "30.172.in-addr.arpa.",
                                     "31.172.in-addr.arpa.",
                                     "168.192.in-addr.arpa.",
                                     "d.f.ip6.arpa.",
                                     "2.0.192.in-addr.arpa.",
                                     "100.51.198.in-addr.arpa.",
                                     "113.0.203.in-addr.arpa.",
                                     "8.b.d.0.1.0.0.2.ip6.arpa."};

DnsError not_found(Failure failure, const std::string& name, Type type, std::string_view why)
{
    return {failure, fmt::format("Host or domain name not found. Name service error for name={} type={}: {}", name,
                                 to_string(type), why)};
}

DnsError temporary(const std::string& name, Type type)
{
    return not_found(Failure::temporary, name, type, "Host not found, try again");
}

DnsError malformed(const std::string& name, Type type)
{
    return {Failure::malformed,
            fmt::format("Name service error for name={} type={}: Malformed or unexpected name server reply", name,
                        to_string(type))};
}

bool holds_host(Type type)
{
    return type == Type::mx || type == Type::srv || type == Type::ptr || type == Type::cname;
}

// A record whose host name cannot be one is of no use to mail; say so once and go on without it.
bool usable(const Record& record, const std::string& asked)
{
    if (!holds_host(record.type) || record.data.empty() || valid_hostname(record.data))
        return true;
    const bool numeric = std::ranges::all_of(record.data, [](char c) { return text::is_digit(c) || c == '.'; });
    log::warning("{} in resource data of {} record for {}: {}",
                 numeric ? "numeric domain name" : "malformed domain name", to_string(record.type), asked,
                 text::printable(record.data.substr(0, 100)));
    return false;
}

LookupResult collect(const ub_result& found, const std::string& name, Type type)
{
    Answer answer{
        .name = name, .ttl = static_cast<std::uint32_t>(std::max(found.ttl, 0)), .validated = found.secure != 0};
    if (found.canonname)
        answer.name = found.canonname;
    if (answer.name.ends_with('.'))
        answer.name.pop_back();
    for (std::size_t i = 0; found.data[i]; ++i) {
        auto record = parse_record(type, {found.data[i], static_cast<std::size_t>(found.len[i])});
        if (!record)
            log::warning("malformed resource data of {} record for {}", to_string(type), name);
        if (!record || !usable(*record, name))
            continue;
        record->ttl = answer.ttl;
        answer.records.push_back(std::move(*record));
    }
    if (answer.records.empty())
        return std::unexpected(malformed(name, type));
    if (type == Type::mx && answer.records.size() == 1 && answer.records[0].data.empty())
        return std::unexpected(
            DnsError{Failure::null_mx, fmt::format("Domain {} does not accept mail (nullMX)", name)});
    std::erase_if(answer.records, [](const Record& record) { return holds_host(record.type) && record.data.empty(); });
    if (answer.records.empty())
        return std::unexpected(malformed(name, type));
    return answer;
}

LookupResult interpret(const ub_result* found, int code, const std::string& name, Type type)
{
    if (code != 0 || !found || found->bogus)
        return std::unexpected(temporary(name, type));
    if (found->havedata)
        return collect(*found, name, type);
    if (found->nxdomain || found->rcode == kNameError)
        return std::unexpected(not_found(Failure::no_domain, name, type, "Host not found"));
    if (found->rcode == 0)
        return std::unexpected(
            not_found(Failure::no_data, name, type, "Host found but no data record of requested type"));
    if (found->rcode == kNoServerAnswer)
        return std::unexpected(temporary(name, type));
    return std::unexpected(not_found(Failure::permanent, name, type, "Non-recoverable error"));
}

} // namespace

ResolverOptions options_from_environment()
{
    ResolverOptions options;
    if (const char* const server = std::getenv("FACTEUR_DNS_SERVER"))
        options.server = server;
    return options;
}

// One question on its way: suspends the asker until its answer is there.
class Query final : public event::Waiter {
public:
    Query(event::Loop& loop, event::milliseconds timeout) : loop_(loop), timeout_(timeout) {}
    ~Query() override { ub_resolve_free(result); }
    Query(const Query&) = delete;
    Query& operator=(const Query&) = delete;

    bool await_ready() const { return answered; }
    void await_suspend(std::coroutine_handle<> handle) { suspend(loop_, handle, timeout_); }
    event::Ready await_resume() const { return answered ? event::Ready::ready : result_; }

    ub_result* result = nullptr;
    int code = 0;
    bool answered = false;
    std::vector<Query*>* arrivals = nullptr;

private:
    event::Loop& loop_;
    event::milliseconds timeout_;
};

struct Resolver::State {
    State(event::Loop& in, ResolverOptions chosen) : loop(in), options(std::move(chosen)), context(ub_ctx_create())
    {
        if (!context)
            log::panic("cannot make a DNS resolver context");
    }
    ~State() { ub_ctx_delete(context); }

    void configure();
    void add_root_anchor();
    void process();
    static void answered(void* argument, int code, ub_result* result);
    static event::Task<void> pump(std::shared_ptr<State> state);

    event::Loop& loop;
    ResolverOptions options;
    ub_ctx* context;
    std::unique_ptr<event::Watch> watch;
    std::vector<Query*> arrived; // answered, not yet resumed
    bool closing = false;
};

void Resolver::State::add_root_anchor()
{
    const auto anchors = read_file(kRootAnchor);
    if (!anchors) {
        log::warning("DNSSEC validation is off: {}", anchors.error().message());
        return;
    }
    for (const auto line : text::split(*anchors, "\n"))
        if (!line.starts_with(';'))
            ub_ctx_add_ta(context, std::string(line).c_str());
}

void Resolver::State::configure()
{
    ub_ctx_async(context, 1);
    ub_ctx_set_option(context, "do-not-query-localhost:", "no");
    if (!options.server.empty())
        ub_ctx_set_fwd(context, options.server.c_str());
    else
        ub_ctx_resolvconf(context, nullptr);
    if (!options.hosts_file.empty())
        ub_ctx_hosts(context, options.hosts_file.c_str());
    if (options.validation == Validation::dnssec)
        add_root_anchor();
    for (const char* const zone : kOwnZones)
        ub_ctx_zone_remove(context, zone);
    watch = std::make_unique<event::Watch>(loop, ub_fd(context));
}

// Runs inside ub_process(): only notes the answer, because the asker may at once ask again.
void Resolver::State::answered(void* argument, int code, ub_result* result)
{
    auto& query = *static_cast<Query*>(argument);
    query.result = result;
    query.code = code;
    query.answered = true;
    query.arrivals->push_back(&query);
}

void Resolver::State::process()
{
    watch->drained();
    ub_process(context);
    // An asker that resumes may end others: take them one by one.
    while (!arrived.empty()) {
        Query* const query = arrived.back();
        arrived.pop_back();
        query->wake(event::Ready::ready);
    }
}

event::Task<void> Resolver::State::pump(std::shared_ptr<State> state)
{
    while (!state->closing) {
        const event::Ready how = co_await state->watch->readable();
        if (how != event::Ready::ready)
            co_return;
        state->process();
    }
}

Resolver::Resolver(event::Loop& loop, ResolverOptions options)
    : state_(std::make_shared<State>(loop, std::move(options)))
{
    state_->configure();
    event::spawn(State::pump(state_));
}

Resolver::~Resolver()
{
    state_->closing = true;
    state_->watch->cancel();
    state_->watch.reset();
}

event::Task<LookupResult> Resolver::lookup(std::string name, Type type)
{
    if (!valid_hostname(name))
        co_return std::unexpected(
            DnsError{Failure::no_domain,
                     fmt::format("Name service error for {}: invalid host or domain name", text::printable(name))});
    const auto state = state_;
    Query query(state->loop, state->options.timeout);
    query.arrivals = &state->arrived;
    int id = 0;
    const int started = ub_resolve_async(state->context, name.c_str(), static_cast<int>(type), kClassInternet, &query,
                                         &State::answered, &id);
    if (started != 0) {
        log::warning("DNS resolver: {}", ub_strerror(started));
        co_return std::unexpected(temporary(name, type));
    }
    const event::Ready how = co_await query;
    if (how != event::Ready::ready) {
        ub_cancel(state->context, id);
        co_return std::unexpected(temporary(name, type));
    }
    std::erase(state->arrived, &query);
    co_return interpret(query.result, query.code, name, type);
}

} // namespace facteur::dns
