#include "daemons/smtp/locate.h"

#include "base/log.h"
#include "base/text.h"
#include "config/idna.h"
#include "dns/native.h"

#include <netdb.h>

#include <algorithm>

namespace facteur::smtp_client {

namespace {

constexpr std::uint16_t kSmtpPort = 25;

// A soft error dominates: what failed for now may be the host that would have answered.
void note(Trouble& trouble, std::string_view status, std::string reason)
{
    const bool soft = trouble.soft();
    trouble = local_trouble(status, std::move(reason));
    if (soft)
        trouble.status[0] = '4';
}

void note_dns(Trouble& trouble, const dns::DnsError& error)
{
    switch (error.failure) {
    case dns::Failure::no_domain:
    case dns::Failure::no_data:
    case dns::Failure::malformed:
        note(trouble, "5.4.4", error.text);
        break;
    case dns::Failure::permanent:
        note(trouble, "5.4.3", error.text);
        break;
    case dns::Failure::null_mx:
        note(trouble, "5.1.0", error.text);
        break;
    case dns::Failure::temporary:
        note(trouble, "4.4.3", error.text);
        break;
    }
}

bool exists_elsewhere(dns::Failure failure)
{
    return failure == dns::Failure::no_domain || failure == dns::Failure::no_data;
}

void note_system(Trouble& trouble, const std::string& host, int code)
{
    const bool retry = code == EAI_AGAIN || code == EAI_MEMORY || code == EAI_SYSTEM;
    const bool no_host = code == EAI_AGAIN || code == EAI_NONAME || code == EAI_NODATA;
    note(trouble, fmt::format("{}.{}", retry ? '4' : '5', no_host ? "4.4" : "3.0"),
         fmt::format("unable to look up host {}: {}", host, ::gai_strerror(code)));
}

} // namespace

bool Locator::usable(std::string_view address) const
{
    return net::is_ipv6(address) ? settings_.use_ipv6 : settings_.use_ipv4;
}

event::Task<Located> Locator::locate(const Destination& destination, Trouble so_far)
{
    Located located;
    located.trouble = std::move(so_far);
    const bool detect_loops = settings_.protocol == Protocol::smtp && destination.port == kSmtpPort;
    std::string name = destination.host;
    if (!text::all_ascii(name))
        if (auto ascii = config::domain_to_ascii(name))
            name = std::move(*ascii);
    if (destination.lookup_mx)
        co_await locate_domain(std::move(name), detect_loops, located);
    else
        co_await locate_host(std::move(name), detect_loops, located);
    co_return located;
}

void Locator::finish(std::vector<Host>& hosts)
{
    if (hosts.size() < 2)
        return;
    order_hosts(hosts, settings_, random_);
    if (settings_.balance_protocols && settings_.mx_address_limit > 0)
        balance_protocols(hosts, settings_.mx_address_limit);
}

event::Task<void> Locator::locate_host(std::string name, bool detect_loops, Located& into)
{
    co_await add_addresses(name, 0, into);
    if (detect_loops &&
        std::ranges::any_of(into.hosts, [this](const Host& host) { return is_self(host, settings_); })) {
        into.hosts.clear();
        into.trouble = local_trouble("5.4.6", fmt::format("mail for {} loops back to myself", name));
    }
    finish(into.hosts);
}

event::Task<void> Locator::locate_domain(std::string name, bool detect_loops, Located& into)
{
    // An address is not looked up as a domain.
    if (net::is_ipv4(name) || net::is_ipv6(name)) {
        co_await locate_host(std::move(name), detect_loops, into);
        co_return;
    }
    auto answer = co_await resolver_->lookup(name, dns::Type::mx);
    if (!answer) {
        const dns::Failure failure = answer.error().failure;
        if (!exists_elsewhere(failure)) {
            note_dns(into.trouble, answer.error());
            if (!settings_.ignore_mx_lookup_error || failure == dns::Failure::null_mx)
                co_return;
        }
        co_await locate_host(std::move(name), detect_loops, into);
        co_return;
    }
    auto& records = answer->records;
    std::ranges::stable_sort(records, {}, &dns::Record::preference);
    const std::uint32_t best = records.front().preference;
    for (const dns::Record& record : records)
        co_await add_addresses(record.data, record.preference, into);
    if (into.hosts.empty()) {
        if (settings_.defer_if_no_mx_address && into.trouble.any())
            into.trouble.status[0] = '4';
        log::warning("no MX host for {} has a valid address record", name);
        co_return;
    }
    if (detect_loops)
        exclude_self(name, best, into);
    finish(into.hosts);
}

void Locator::exclude_self(const std::string& name, std::uint32_t best, Located& into) const
{
    const auto lowest = std::ranges::min_element(into.hosts, {}, &Host::preference)->preference;
    into.we_are_mx = cut_at_self(into.hosts, settings_);
    if (!into.hosts.empty())
        return;
    if (best != lowest)
        into.trouble = local_trouble("4.4.4", fmt::format("unable to find primary relay for {}", name));
    else
        into.trouble = local_trouble("5.4.6", fmt::format("mail for {} loops back to myself", name));
}

event::Task<void> Locator::add_addresses(std::string host, std::uint32_t preference, Located& into)
{
    if ((net::is_ipv4(host) || net::is_ipv6(host)) && usable(host)) {
        into.hosts.push_back({host, host, preference, net::is_ipv6(host)});
        co_return;
    }
    if (settings_.lookup_dns) {
        const bool over = co_await add_from_dns(host, preference, into);
        if (over)
            co_return;
    }
    if (settings_.lookup_native)
        co_await add_from_system(std::move(host), preference, into);
}

// True when that was all: addresses were found, or the system's names must not be asked.
event::Task<bool> Locator::add_from_dns(std::string host, std::uint32_t preference, Located& into)
{
    const std::size_t before = into.hosts.size();
    std::optional<dns::DnsError> problem;
    for (const dns::Type type : {dns::Type::a, dns::Type::aaaa}) {
        if (type == dns::Type::a ? !settings_.use_ipv4 : !settings_.use_ipv6)
            continue;
        auto answer = co_await resolver_->lookup(host, type);
        if (!answer) {
            if (!problem || exists_elsewhere(problem->failure))
                problem = std::move(answer.error());
            continue;
        }
        for (dns::Record& record : answer->records)
            into.hosts.push_back({host, std::move(record.data), preference, type == dns::Type::aaaa});
    }
    if (into.hosts.size() > before)
        co_return true;
    if (!problem)
        co_return false;
    note_dns(into.trouble, *problem);
    co_return !exists_elsewhere(problem->failure);
}

event::Task<void> Locator::add_from_system(std::string host, std::uint32_t preference, Located& into)
{
    const int family = settings_.use_ipv4 && settings_.use_ipv6 ? AF_UNSPEC : settings_.use_ipv6 ? AF_INET6 : AF_INET;
    auto found = co_await dns::native_addresses(pool_, host, family);
    if (!found) {
        note_system(into.trouble, host, found.error());
        co_return;
    }
    if (found->empty())
        note(into.trouble, "5.4.4", fmt::format("{}: host not found", host));
    for (std::string& address : *found) {
        const bool ipv6 = net::is_ipv6(address);
        into.hosts.push_back({host, std::move(address), preference, ipv6});
    }
}

} // namespace facteur::smtp_client
