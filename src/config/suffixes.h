// Parameters whose names begin with a transport's: smtp_destination_concurrency_limit, mailman_time_limit, ...
// Each follows a default_* parameter until main.cf sets it. Source: postconf(5), "transport_..." entries.
#pragma once

#include "config/parameter.h"

#include <span>
#include <string_view>

namespace facteur::config {

struct ServiceSuffix {
    std::string_view suffix; // "_destination_concurrency_limit"
    const ParameterBase* fallback;
    bool only_pipe_and_spawn = false; // _time_limit: services of these programs alone have it
};

std::span<const ServiceSuffix> service_suffixes();

// The suffix that such a name ends with; nothing for other names and for the default_* parameters themselves.
const ServiceSuffix* find_suffix(std::string_view name);

// The nearest of some words to a misspelt one, empty when none is near.
std::string_view nearest_of(std::string_view word, std::span<const std::string_view> candidates);
// The nearest known name to a misspelt one, empty when nothing is near.
std::string_view nearest_name(std::string_view name);

} // namespace facteur::config
