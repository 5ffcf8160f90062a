#include "daemons/qmgr/settings.h"

#include "base/text.h"
#include "config/master_cf.h"

#include <cstdlib>

namespace facteur::qmgr {

namespace params = config::params;

namespace {

seconds whole(std::chrono::milliseconds time)
{
    return std::chrono::duration_cast<seconds>(time);
}

// "1/concurrency", "1/sqrt_concurrency" or a plain number. Source: SCHEDULER_README.
void parse_feedback(std::string_view text, double& constant, bool& per_window, bool& per_root)
{
    const auto slash = text.find('/');
    constant = std::strtod(std::string(text.substr(0, slash)).c_str(), nullptr);
    per_window = per_root = false;
    if (slash == text.npos)
        return;
    const auto divisor = text::trim(text.substr(slash + 1));
    if (divisor == "concurrency")
        per_window = true;
    else if (divisor == "sqrt_concurrency")
        per_root = true;
    else if (const double number = std::strtod(std::string(divisor).c_str(), nullptr); number > 0)
        constant /= number;
}

// How many deliveries each service takes at once: the maxproc column. Read now, because a jail hides the file later.
void read_process_limits(const config::Config& config, Settings& settings)
{
    constexpr long kUnlimited = 1'000'000;
    settings.default_process_limit = config.get(params::default_process_limit);
    const auto entries = config::load_master_cf(config);
    if (!entries)
        return;
    for (const auto& entry : *entries)
        if (entry.type == config::SocketType::unix_stream)
            settings.process_limits[entry.name] = entry.process_limit < 0    ? settings.default_process_limit
                                                  : entry.process_limit == 0 ? kUnlimited
                                                                             : entry.process_limit;
}

} // namespace

Settings read_settings(const config::Config& config)
{
    Settings settings;
    settings.active_limit = static_cast<std::size_t>(config.get(params::qmgr_message_active_limit));
    settings.clog_warning = whole(config.get(params::qmgr_clog_warn_time));
    settings.log_feedback = config.get(params::destination_concurrency_feedback_debug);
    settings.minimal_backoff = whole(config.get(params::minimal_backoff_time));
    // Set the wrong way round, the shorter one rules nothing: the least wait is a promise to the destination.
    settings.maximal_backoff = std::max(settings.minimal_backoff, whole(config.get(params::maximal_backoff_time)));
    settings.queue_lifetime = whole(config.get(params::maximal_queue_lifetime));
    settings.bounce_lifetime = whole(config.get(params::bounce_queue_lifetime));
    settings.queue_run_delay = whole(config.get(params::queue_run_delay));
    settings.transport_retry = config.get(params::transport_retry_time);
    for (const auto name : text::split_list(config.get(params::defer_transports)))
        settings.defer_transports.emplace(name);
    settings.recipients_at_once = static_cast<std::size_t>(std::max(
        config.get(params::qmgr_message_recipient_minimum),
        std::min(config.get(params::qmgr_message_recipient_limit), config.get(params::default_recipient_limit))));
    settings.refill = static_cast<std::size_t>(config.get(params::default_recipient_refill_limit));
    settings.confirm_delay_cleared = config.get(params::confirm_delay_cleared);
    settings.verp_bounces = !config.get(params::disable_verp_bounces);
    settings.filter_nexthop = config.get(params::default_filter_nexthop);
    settings.retry_spread = config.get(params::deferred_retry_spread);
    settings.hash_queue_names = config.get(params::hash_queue_names);
    settings.hash_queue_depth = static_cast<int>(config.get(params::hash_queue_depth));
    settings.bounce_socket = "private/" + config.get(params::bounce_service_name);
    settings.defer_socket = "private/" + config.get(params::defer_service_name);
    settings.trace_socket = "private/" + config.get(params::trace_service_name);
    settings.rewrite_socket = "private/" + config.get(params::rewrite_service_name);
    settings.retry_transport = "retry";
    settings.error_transport = config.get(params::error_service_name);
    read_process_limits(config, settings);
    return settings;
}

TransportSettings read_transport(const config::Config& config, const Settings& common, std::string_view name)
{
    TransportSettings settings;
    const auto limit = common.process_limits.find(name);
    settings.process_limit = limit == common.process_limits.end() ? common.default_process_limit : limit->second;
    settings.concurrency_limit =
        config.get_for(name, "_destination_concurrency_limit", params::default_destination_concurrency_limit);
    settings.initial_concurrency =
        config.get_for(name, "_initial_destination_concurrency", params::initial_destination_concurrency);
    settings.recipient_limit =
        config.get_for(name, "_destination_recipient_limit", params::default_destination_recipient_limit);
    settings.failed_cohort_limit = config.get_for(name, "_destination_concurrency_failed_cohort_limit",
                                                  params::default_destination_concurrency_failed_cohort_limit);
    settings.transport_rate_delay = config.get_for(name, "_transport_rate_delay", params::default_transport_rate_delay);
    settings.failure_window =
        config.get_for(name, "_destination_failure_window", params::default_destination_failure_window);
    settings.slots.cost = config.get_for(name, "_delivery_slot_cost", params::default_delivery_slot_cost);
    settings.slots.loan = config.get_for(name, "_delivery_slot_loan", params::default_delivery_slot_loan);
    settings.slots.discount = config.get_for(name, "_delivery_slot_discount", params::default_delivery_slot_discount);
    settings.slots.minimum = config.get_for(name, "_minimum_delivery_slots", params::default_minimum_delivery_slots);
    settings.rate_delay = config.get_for(name, "_destination_rate_delay", params::default_destination_rate_delay);
    parse_feedback(config.get_for(name, "_destination_concurrency_positive_feedback",
                                  params::default_destination_concurrency_positive_feedback),
                   settings.positive_feedback, settings.positive_per_window, settings.positive_per_root);
    parse_feedback(config.get_for(name, "_destination_concurrency_negative_feedback",
                                  params::default_destination_concurrency_negative_feedback),
                   settings.negative_feedback, settings.negative_per_window, settings.negative_per_root);
    return settings;
}

} // namespace facteur::qmgr
