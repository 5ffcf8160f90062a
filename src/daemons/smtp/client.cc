#include "daemons/smtp/client.h"

#include "base/log.h"
#include "base/text.h"
#include "config/params.h"
#include "daemons/smtp/handshake.h"
#include "ipc/flags.h"

#include <algorithm>

namespace facteur::smtp_client {

namespace params = config::params;

namespace {

std::unique_ptr<dns::Resolver> make_resolver(event::Loop& loop, const Settings& settings)
{
    if (settings.dns == DnsSupport::disabled)
        return nullptr;
    auto options = dns::options_from_environment();
    if (settings.dns == DnsSupport::dnssec)
        options.validation = dns::Validation::dnssec;
    return std::make_unique<dns::Resolver>(loop, std::move(options));
}

ServerTables open_tables(const config::Config& config, Protocol protocol)
{
    const bool smtp = protocol == Protocol::smtp;
    const auto open = [&](const config::StringParameter& parameter) {
        return table::Maps(std::string(parameter.name), config.get(parameter), {}, config);
    };
    return {
        open(smtp ? params::smtp_discard_ehlo_keyword_address_maps : params::lmtp_discard_lhlo_keyword_address_maps),
        open(smtp ? params::smtp_pix_workaround_maps : params::lmtp_pix_workaround_maps)};
}

bool is_loopback(const net::SocketAddress& address)
{
    const std::string ip = address.ip();
    return ip.starts_with("127.") || ip == "::1";
}

std::string_view without_brackets(std::string_view address)
{
    return address.starts_with('[') && address.ends_with(']') ? address.substr(1, address.size() - 2) : address;
}

} // namespace

Client::Client(service::Process& process, Settings settings)
    : loop_(process.loop), settings_(std::move(settings)), tables_(open_tables(process.config, settings_.protocol)),
      resolver_(make_resolver(process.loop, settings_)), locator_(settings_, resolver_.get(), process.pool),
      cache_(process.loop, {settings_.cache_time_limit, settings_.reuse_time_limit, settings_.reuse_count_limit})
{
    if (settings_.cache_destinations.empty())
        return;
    auto list =
        config::MatchList::parse(settings_.cache_destinations, {.parameter = "smtp_connection_cache_destinations"});
    if (list)
        kept_destinations_.emplace(std::move(*list));
    else
        log::warning("{}", list.error());
}

bool Client::keeps_sessions(std::string_view nexthop, std::uint32_t deliver_flags) const
{
    if (settings_.cache_on_demand && (deliver_flags & ipc::deliver_flag::connection_store) != 0)
        return true;
    if (!kept_destinations_)
        return false;
    const auto listed = kept_destinations_->matches(nexthop);
    return listed && *listed;
}

// smtp_bind_address; else, for virtual hosting, the one address that inet_interfaces names.
std::optional<net::SocketAddress> Client::source_for(const Host& host) const
{
    const std::string& chosen = host.ipv6 ? settings_.bind_address6 : settings_.bind_address;
    if (!chosen.empty())
        return net::SocketAddress::from_ip(without_brackets(chosen), 0);
    if (settings_.listens_everywhere)
        return std::nullopt;
    std::optional<net::SocketAddress> only;
    for (const std::string& own : settings_.own_addresses) {
        if (net::is_ipv6(own) != host.ipv6)
            continue;
        if (only)
            return std::nullopt;
        only = net::SocketAddress::from_ip(own, 0);
    }
    return only && !is_loopback(*only) ? only : std::nullopt;
}

event::Task<void> Client::deliver(agent::Delivery& delivery)
{
    Attempt attempt(*this, delivery);
    co_await attempt.run();
}

// --- one delivery ---

Attempt::Attempt(Client& client, agent::Delivery& delivery)
    : client_(client), settings_(client.settings_), delivery_(delivery)
{
    for (int i = 0; i < delivery.recipient_count(); ++i)
        if (!delivery.settled(i))
            left_.push_back(i);
}

event::Task<void> Attempt::run()
{
    const auto destinations = parse_nexthop(delivery_.nexthop(), settings_);
    if (!destinations) {
        log::warning("{}: {}", delivery_.queue_id(), destinations.error());
        co_await settle_rest(local_trouble("4.3.5", "Server configuration error"), "none", Last::yes, true);
        co_return;
    }
    first_destination_ = destinations->front().text;
    for (const Destination& destination : *destinations) {
        if (left_.empty())
            break;
        // An MX host has no use for the fallback relay: that one would send the mail back.
        if (final_destination_ && &destination != &destinations->front() && destination.fallback)
            break;
        final_destination_ = &destination == &destinations->back();
        fallback_tried_ = destination.fallback;
        co_await try_destination(destination);
    }
    if (!left_.empty())
        co_await settle_leftovers();
}

event::Task<void> Attempt::try_destination(const Destination& destination)
{
    Located located;
    if (destination.is_unix())
        located.hosts.push_back({settings_.myhostname, destination.unix_path, 0, false});
    else
        located = co_await client_.locator_.locate(destination, trouble_);
    if (located.hosts.empty())
        trouble_ = located.trouble;
    final_destination_ |= located.we_are_mx;
    addresses_ = sessions_ = 0;
    // Among equals, those we are talking to anyway.
    auto& hosts = located.hosts;
    const auto equals =
        std::ranges::find_if(hosts, [&](const Host& host) { return host.preference != hosts.front().preference; });
    std::stable_partition(hosts.begin(), equals, [&](const Host& host) {
        return client_.cache_.has(cache_key({host.name, host.address, destination.port}));
    });
    for (std::size_t i = 0; i < hosts.size() && !left_.empty(); ++i) {
        ++addresses_;
        const bool last = i + 1 == hosts.size() || addresses_ == settings_.mx_address_limit;
        co_await try_host(destination, hosts[i], last);
        if (last || (settings_.mx_session_limit > 0 && sessions_ >= settings_.mx_session_limit))
            break;
    }
}

event::Task<void> Attempt::try_host(const Destination& destination, const Host& host, bool last_host)
{
    const bool last_session =
        last_host || (settings_.mx_session_limit > 0 && sessions_ + 1 >= settings_.mx_session_limit);
    const Last if_connected = final_destination_ && last_session ? Last::yes : Last::no;
    const Last if_refused = final_destination_ && last_host ? Last::yes : Last::no;
    const std::string key = cache_key({host.name, host.address, destination.port});
    while (SessionPtr kept = client_.cache_.take(key)) {
        delivery_.connection_ready();
        const bool alive = co_await converse(std::move(kept), if_connected);
        if (alive) {
            ++sessions_;
            co_return;
        }
    }
    SessionPtr session = co_await open_session(destination, host, if_refused);
    if (!session)
        co_return;
    ++sessions_;
    delivery_.connection_ready();
    [[maybe_unused]] const bool alive = co_await converse(std::move(session), if_connected);
}

event::Task<SessionPtr> Attempt::open_session(const Destination& destination, const Host& host, Last last)
{
    auto stream = co_await connect(destination, host);
    if (!stream) {
        trouble_ = std::move(stream.error());
        if (!destination.is_unix())
            log::info("{}", trouble_.reason);
        co_return nullptr;
    }
    auto session = std::make_unique<Session>(std::move(*stream), Peer{host.name, host.address, destination.port},
                                             settings_.per_request_deadline);
    session->queue_id = delivery_.queue_id();
    const bool ready = co_await greet(*session, destination, last);
    if (!ready)
        session.reset();
    co_return std::move(session);
}

event::Task<std::expected<net::StreamPtr, Trouble>> Attempt::connect(const Destination& destination, const Host& host)
{
    const auto address = destination.is_unix() ? net::SocketAddress::unix_path(destination.unix_path)
                                               : net::SocketAddress::from_ip(host.address, destination.port);
    if (!address) {
        log::warning("unix-domain name too long: {}", destination.unix_path);
        co_return std::unexpected(local_trouble("4.3.5", "Server configuration error"));
    }
    std::optional<net::SocketAddress> source;
    if (!destination.is_unix())
        source = client_.source_for(host);
    auto stream = co_await net::connect(client_.loop_, *address, source, settings_.timeouts.connect);
    if (!stream && stream.error().operation == "bind") {
        log::warning("{}", stream.error().message());
        if (settings_.bind_enforce)
            co_return std::unexpected(local_trouble("4.4.0", "server configuration error"));
        stream = co_await net::connect(client_.loop_, *address, std::nullopt, settings_.timeouts.connect);
    }
    if (stream)
        co_return std::move(*stream);
    const Peer peer{host.name, host.address, destination.port};
    co_return std::unexpected(
        local_trouble("4.4.1", fmt::format("connect to {}: {}", peer.relay(), errno_text(stream.error().code))));
}

event::Task<bool> Attempt::greet(Session& session, const Destination& destination, Last last)
{
    HandshakeOptions options{.queue_id = std::string(delivery_.queue_id()),
                             .nexthop = std::string(delivery_.nexthop()),
                             .detect_loops = settings_.protocol == Protocol::smtp && destination.port == 25,
                             .discard_keywords = settings_.discard_keywords,
                             .pix_workarounds = settings_.pix_workarounds};
    const auto keywords = client_.tables_.discard_keywords.find(session.peer().address);
    const auto workarounds = client_.tables_.pix_workarounds.find(session.peer().address);
    if (!keywords || !workarounds) {
        log::warning("{}: {} map lookup error for {}", delivery_.queue_id(),
                     keywords ? "PIX workaround" : "EHLO keyword", session.peer().address);
        co_await settle_rest(local_trouble("4.3.0", "Temporary lookup error"), session.peer().relay(), last, true);
        co_return false;
    }
    if (*keywords)
        options.discard_keywords = smtp::parse_ehlo_keywords(**keywords);
    if (*workarounds)
        options.pix_workarounds = parse_pix_workarounds(**workarounds).value_or(settings_.pix_workarounds);
    const auto age = std::chrono::system_clock::now().time_since_epoch() -
                     std::chrono::seconds(delivery_.envelope().arrival_seconds());
    if (age < settings_.pix_threshold)
        options.pix_workarounds &= ~pix::delay_dotcrlf;
    const auto greeted = co_await shake_hands(session, settings_, std::move(options));
    if (greeted)
        co_return true;
    session.leave();
    co_await settle_rest(greeted.error(), session.peer().relay(), last, true);
    co_return false;
}

Message Attempt::message() const
{
    const ipc::DeliverRequest& request = delivery_.request();
    Message message{.queue_id = delivery_.queue_id(),
                    .envelope = delivery_.envelope(),
                    .recipients = {},
                    .content = delivery_.content(),
                    .content_flags = request.content_flags(),
                    .verify_only = (request.flags() & ipc::deliver_flag::trace_verify) != 0};
    message.recipients.reserve(left_.size());
    for (const int index : left_)
        message.recipients.push_back(&delivery_.recipient(index));
    return message;
}

event::Task<bool> Attempt::converse(SessionPtr session, Last last)
{
    session->queue_id = delivery_.queue_id();
    session->last_message = !client_.keeps_sessions(first_destination_, delivery_.request().flags());
    const Message outgoing = message();
    Transaction transaction(*session, outgoing, settings_);
    const TransactionResult result = co_await transaction.run();
    if (result.stale)
        co_return false;
    ++session->uses;
    delivery_.connection_use(session->uses);
    const bool server_reports = session->server.has(feature::dsn);
    const bool final_here = !server_reports && (settings_.added.final_delivery || settings_.assume_final);
    const Conversation with{session->peer().relay(), session->peer().host, final_here ? "delivered" : "relayed"};
    for (const RecipientOutcome& outcome : result.outcomes)
        if (!outcome.trouble && server_reports)
            delivery_.success_reported_elsewhere(left_[outcome.position]);
    co_await part(std::move(session), result);
    co_await settle(result, with, last);
    co_return true;
}

// The session goes back to the cache before outcomes are recorded: the next delivery may already wait for it.
event::Task<void> Attempt::part(SessionPtr session, const TransactionResult& result)
{
    if (!result.reusable) {
        if (!session->said_goodbye)
            session->leave();
        co_return;
    }
    if (session->last_message) {
        co_await quit_session(*session, settings_);
        co_return;
    }
    if (result.needs_reset) {
        const bool reset = co_await reset_session(*session, settings_);
        if (!reset)
            co_return;
    }
    const std::string key = cache_key(session->peer());
    client_.cache_.put(key, std::move(session));
}

} // namespace facteur::smtp_client
