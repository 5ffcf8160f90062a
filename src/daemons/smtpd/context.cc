#include "daemons/smtpd/context.h"

#include "base/log.h"
#include "base/text.h"
#include "config/computed.h"
#include "smtp/ehlo.h"

#include <sys/statvfs.h>

namespace facteur::smtpd {

namespace {

namespace params = config::params;
using config::ListKind;
using config::MatchList;

// Results of access tables reach security decisions: patterns may still insert what they matched.
constexpr table::TableOptions kTableOptions{};

} // namespace

Context::Context(const config::Config& config_in, event::Loop& loop_in, event::WorkerPool& pool_in)
    : config(config_in), loop(loop_in), pool(pool_in), settings(config),
      ids(std::make_shared<queue::IdSource>(config.get(params::enable_long_queue_ids) ? queue::IdForm::long_form
                                                                                      : queue::IdForm::short_form)),
      myorigin_(text::to_lower(config.get(params::myorigin)))
{
    local_domain = [this](std::string_view domain) { return is_local_domain(domain); };
}

std::expected<std::unique_ptr<Context>, std::string> Context::open(const config::Config& config, event::Loop& loop,
                                                                   event::WorkerPool& pool)
{
    std::unique_ptr<Context> context(new Context(config, loop, pool));
    const auto own = config::own_addresses(config.get(params::inet_interfaces), config.get(params::inet_protocols));
    if (!own)
        return std::unexpected(own.error());
    context->own_addresses_.insert(own->begin(), own->end());
    if (const auto opened = context->open_lists(); !opened)
        return std::unexpected(opened.error());
    context->open_address_tables();
    if (const auto opened = context->open_restrictions(); !opened)
        return std::unexpected(opened.error());
    return context;
}

bool Context::parents_listed(std::string_view parameter) const
{
    for (const std::string_view word : text::split_list(config.get(params::parent_domain_matches_subdomains)))
        if (word == parameter)
            return true;
    return false;
}

std::expected<bool, std::string> Context::probe(std::string_view spec, std::string_view key)
{
    auto found = list_tables_.find(spec);
    if (found == list_tables_.end())
        found = list_tables_.emplace(std::string(spec), table::open_table(spec, kTableOptions, config)).first;
    const auto answer = found->second->lookup(key);
    if (!answer)
        return std::unexpected(answer.error().text);
    return answer->has_value();
}

std::expected<MatchList, std::string> Context::list(const config::StringParameter& parameter, ListKind kind)
{
    auto parsed =
        MatchList::parse(config.get(parameter), {kind, parents_listed(parameter.name), std::string(parameter.name)},
                         [this](std::string_view spec, std::string_view key) { return probe(spec, key); });
    if (!parsed)
        return std::unexpected(fmt::format("parameter {}: {}", parameter.name, parsed.error()));
    return parsed;
}

std::expected<void, std::string> Context::open_lists()
{
    const std::pair<const config::StringParameter*, ListKind> wanted[] = {
        {&params::mynetworks, ListKind::host},
        {&params::smtpd_authorized_xclient_hosts, ListKind::host},
        {&params::smtpd_authorized_xforward_hosts, ListKind::host},
        {&params::smtpd_client_event_limit_exceptions, ListKind::host},
        {&params::smtpd_forbid_bare_newline_exclusions, ListKind::host},
        {&params::mydestination, ListKind::domain},
        {&params::smtpd_noop_commands, ListKind::text},
        {&params::smtpd_forbidden_commands, ListKind::text},
        {&params::fast_flush_domains, ListKind::domain},
    };
    std::vector<MatchList> made;
    for (const auto& [parameter, kind] : wanted) {
        auto one = list(*parameter, kind);
        if (!one)
            return std::unexpected(one.error());
        made.push_back(std::move(*one));
    }
    lists.emplace(Lists{std::move(made[0]), std::move(made[1]), std::move(made[2]), std::move(made[3]),
                        std::move(made[4]), std::move(made[5]), std::move(made[6]), std::move(made[7]),
                        std::move(made[8])});
    return {};
}

void Context::open_address_tables()
{
    const auto open = [this](const config::StringParameter& parameter) {
        return Lookup(std::string(parameter.name), config.get(parameter), kTableOptions, config, pool);
    };
    addresses.reset(new AddressTables{open(params::local_recipient_maps), open(params::virtual_alias_maps),
                                      open(params::virtual_mailbox_maps), open(params::relay_recipient_maps),
                                      open(params::canonical_maps), open(params::sender_canonical_maps),
                                      open(params::recipient_canonical_maps)});
    const std::string& keyword_maps = config.get(params::smtpd_discard_ehlo_keyword_address_maps);
    if (!text::trim(keyword_maps).empty())
        ehlo_keyword_maps_ = std::make_unique<Lookup>("smtpd_discard_ehlo_keyword_address_maps", keyword_maps,
                                                      kTableOptions, config, pool);
}

std::expected<void, std::string> Context::open_restrictions()
{
    access_parents = parents_listed("smtpd_access_maps") ? table::Maps::Parents::plain : table::Maps::Parents::dotted;
    for (const std::string_view name : text::split_list(config.get(params::smtpd_restriction_classes))) {
        const auto value = config.value(name);
        if (!value)
            return std::unexpected(fmt::format("restriction class `{}' has no definition", name));
        classes.emplace(std::string(name), RuleList{});
    }
    // Only when all names are known can one class use another.
    for (auto& [name, rules] : classes)
        rules = parse_rules(*this, *config.value(name), "");
    const auto parse = [this](const config::StringParameter& parameter, std::string_view implied) {
        return parse_rules(*this, config.get(parameter), implied);
    };
    restrictions.client = parse(params::smtpd_client_restrictions, "check_client_access");
    restrictions.helo = parse(params::smtpd_helo_restrictions, "check_helo_access");
    restrictions.sender = parse(params::smtpd_sender_restrictions, "check_sender_access");
    restrictions.relay = parse(params::smtpd_relay_restrictions, "check_recipient_access");
    restrictions.recipient = parse(params::smtpd_recipient_restrictions, "check_recipient_access");
    restrictions.data = parse(params::smtpd_data_restrictions, "");
    restrictions.end_of_data = parse(params::smtpd_end_of_data_restrictions, "");
    restrictions.etrn = parse(params::smtpd_etrn_restrictions, "check_etrn_access");
    for (const std::string_view word : text::split_list(config.get(params::local_header_rewrite_clients)))
        local_rewrite_clients_.emplace_back(word);
    return {};
}

Lookup& Context::table(std::string_view spec)
{
    auto found = tables_.find(spec);
    if (found == tables_.end())
        found = tables_
                    .emplace(std::string(spec),
                             std::make_unique<Lookup>(std::string(spec), spec, kTableOptions, config, pool))
                    .first;
    return *found->second;
}

bool Context::matches(const MatchList& list, const Client& client, bool otherwise)
{
    if (list.empty())
        return false;
    const auto answer = list.matches_host(client.name, client.address);
    if (!answer)
        log::warning("{}", answer.error());
    return answer.value_or(otherwise);
}

bool Context::matches(const MatchList& list, std::string_view name, bool otherwise)
{
    if (list.empty())
        return false;
    const auto answer = list.matches(name);
    if (!answer)
        log::warning("{}", answer.error());
    return answer.value_or(otherwise);
}

bool Context::is_own_address(std::string_view address) const
{
    return own_addresses_.contains(address);
}

bool Context::is_local_domain(std::string_view domain) const
{
    if (text::iequals(domain, myorigin_))
        return true;
    if (domain.starts_with('[') && domain.ends_with(']')) {
        std::string_view address = domain.substr(1, domain.size() - 2);
        if (text::istarts_with(address, "IPv6:"))
            address.remove_prefix(5);
        return is_own_address(address);
    }
    return matches(lists->mydestination, domain);
}

bool Context::tables_changed() const
{
    for (const auto& [spec, table] : tables_)
        if (table->changed())
            return true;
    for (const auto& [spec, table] : list_tables_)
        if (table->changed())
            return true;
    for (const Lookup* table : {&addresses->local_recipients, &addresses->virtual_aliases,
                                &addresses->virtual_mailboxes, &addresses->relay_recipients, &addresses->canonical,
                                &addresses->sender_canonical, &addresses->recipient_canonical})
        if (table->changed())
            return true;
    return ehlo_keyword_maps_ && ehlo_keyword_maps_->changed();
}

bool Context::queue_full(std::uint64_t message_size)
{
    if (space_checked_ == event::Clock::time_point{} || loop.now() - space_checked_ >= std::chrono::seconds(1)) {
        struct statvfs space{};
        // The process works in the queue directory. One that cannot be asked is not known to be full.
        free_bytes_ = ::statvfs(".", &space) == 0 ? static_cast<std::uint64_t>(space.f_bavail) * space.f_frsize
                                                  : ~std::uint64_t{0};
        space_checked_ = loop.now();
    }
    // Room for one and a half messages of the greatest size, as Postfix wants it.
    return free_bytes_ <= settings.queue_minfree || free_bytes_ / 3 * 2 <= settings.message_size_limit ||
           free_bytes_ <= message_size;
}

event::Task<std::uint32_t> Context::discarded_ehlo_keywords(std::string address)
{
    if (!ehlo_keyword_maps_)
        co_return settings.discard_ehlo_keywords;
    const auto found = co_await ehlo_keyword_maps_->find(std::move(address));
    if (found && *found)
        co_return smtp::parse_ehlo_keywords(**found);
    co_return settings.discard_ehlo_keywords;
}

event::Task<bool> Context::rewrites_as_local(const Client& client)
{
    for (std::size_t i = 0; i < local_rewrite_clients_.size(); ++i) {
        const std::string& word = local_rewrite_clients_[i];
        if (text::iequals(word, "permit_inet_interfaces") && is_own_address(client.address))
            co_return true;
        if (text::iequals(word, "permit_mynetworks") && matches(lists->mynetworks, client))
            co_return true;
        if (text::iequals(word, "check_address_map") || word.find(':') == word.npos)
            continue;
        Lookup& map = table(word);
        const auto found = co_await map.find(client.address);
        if (found && *found)
            co_return true;
    }
    co_return false;
}

bool Context::first_time(std::string text)
{
    return said_.insert(std::move(text)).second;
}

} // namespace facteur::smtpd
