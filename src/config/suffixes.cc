#include "config/suffixes.h"

#include "config/params.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <vector>

namespace facteur::config {

std::span<const ServiceSuffix> service_suffixes()
{
    static const auto suffixes = std::to_array<ServiceSuffix>({
        {"_delivery_slot_cost", &params::default_delivery_slot_cost},
        {"_delivery_slot_discount", &params::default_delivery_slot_discount},
        {"_delivery_slot_loan", &params::default_delivery_slot_loan},
        {"_destination_concurrency_failed_cohort_limit", &params::default_destination_concurrency_failed_cohort_limit},
        {"_destination_concurrency_limit", &params::default_destination_concurrency_limit},
        {"_destination_concurrency_negative_feedback", &params::default_destination_concurrency_negative_feedback},
        {"_destination_concurrency_positive_feedback", &params::default_destination_concurrency_positive_feedback},
        {"_destination_failure_window", &params::default_destination_failure_window},
        {"_destination_rate_delay", &params::default_destination_rate_delay},
        {"_destination_recipient_limit", &params::default_destination_recipient_limit},
        {"_extra_recipient_limit", &params::default_extra_recipient_limit},
        {"_initial_destination_concurrency", &params::initial_destination_concurrency},
        {"_minimum_delivery_slots", &params::default_minimum_delivery_slots},
        {"_recipient_limit", &params::default_recipient_limit},
        {"_recipient_refill_delay", &params::default_recipient_refill_delay},
        {"_recipient_refill_limit", &params::default_recipient_refill_limit},
        {"_time_limit", &params::command_time_limit, true},
        {"_transport_rate_delay", &params::default_transport_rate_delay},
    });
    return suffixes;
}

const ServiceSuffix* find_suffix(std::string_view name)
{
    if (find_parameter(name) != nullptr)
        return nullptr;
    // The longest that fits: "x_destination_recipient_limit" also ends with "_recipient_limit".
    const ServiceSuffix* best = nullptr;
    for (const auto& each : service_suffixes())
        if (name.size() > each.suffix.size() && name.ends_with(each.suffix) &&
            (best == nullptr || each.suffix.size() > best->suffix.size()))
            best = &each;
    return best;
}

namespace {

// Levenshtein's distance, given up (as limit) once it cannot stay below it.
std::size_t distance(std::string_view a, std::string_view b, std::size_t limit)
{
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), 0);
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t diagonal = row[0];
        std::size_t least = row[0] = i + 1;
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({replaced, diagonal + 1, row[j] + 1});
            least = std::min(least, row[j + 1]);
        }
        if (least >= limit)
            return limit;
    }
    return row.back();
}

} // namespace

std::string_view nearest_of(std::string_view word, std::span<const std::string_view> candidates)
{
    std::size_t best = std::min<std::size_t>(4, word.size() / 4 + 1);
    std::string_view nearest;
    for (const auto candidate : candidates) {
        if (candidate.size() > word.size() + best || word.size() > candidate.size() + best)
            continue;
        if (const auto far = distance(word, candidate, best); far < best) {
            best = far;
            nearest = candidate;
        }
    }
    return nearest;
}

std::string_view nearest_name(std::string_view name)
{
    static const auto names = [] {
        std::vector<std::string_view> out;
        for (const auto* parameter : all_parameters())
            out.push_back(parameter->name);
        return out;
    }();
    return nearest_of(name, names);
}

} // namespace facteur::config
