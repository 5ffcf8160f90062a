#include "config/values.h"

#include "base/text.h"

#include <fmt/format.h>

#include <climits>
#include <optional>

namespace facteur::config {

namespace {

std::optional<long> seconds_in(char unit)
{
    switch (text::lower(unit)) {
    case 's':
        return 1;
    case 'm':
        return 60;
    case 'h':
        return 60 * 60;
    case 'd':
        return 24 * 60 * 60;
    case 'w':
        return 7 * 24 * 60 * 60;
    default:
        return std::nullopt;
    }
}

// "10", "10s", "1h30m": a sum of numbers with units; nothing when malformed or beyond an int, as Postfix counts.
std::optional<long> sum_of_times(std::string_view text, char default_unit)
{
    long total = 0;
    if (text.empty())
        return std::nullopt;
    while (!text.empty()) {
        const auto digits = text.substr(0, std::min(text.find_first_not_of("0123456789"), text.size()));
        const auto number = text::to_long(digits);
        text.remove_prefix(digits.size());
        const auto scale = seconds_in(text.empty() ? default_unit : text.front());
        if (!number || *number > INT_MAX || !scale)
            return std::nullopt;
        if (!text.empty())
            text.remove_prefix(1);
        total += *number * *scale;
        if (total > INT_MAX)
            return std::nullopt;
    }
    return total;
}

} // namespace

std::expected<long, std::string> parse_integer(std::string_view name, std::string_view text,
                                               const ParameterBase& bounds)
{
    auto digits = text::trim(text);
    if (digits.size() > 1 && digits.front() == '+' && text::is_digit(digits[1]))
        digits.remove_prefix(1);
    const auto value = text::to_long(digits);
    if (!value)
        return std::unexpected(fmt::format("bad numerical configuration: {} = {}", name, text));
    if (*value < bounds.at_least)
        return std::unexpected(fmt::format("invalid {} parameter value {} < {}", name, *value, bounds.at_least));
    if (*value > bounds.at_most)
        return std::unexpected(fmt::format("invalid {} parameter value {} > {}", name, *value, bounds.at_most));
    return *value;
}

std::expected<bool, std::string> parse_boolean(std::string_view name, std::string_view text)
{
    if (text::iequals(text, "yes"))
        return true;
    if (text::iequals(text, "no"))
        return false;
    return std::unexpected(fmt::format("bad boolean configuration: {} = {}", name, text));
}

std::expected<long, std::string> parse_time(std::string_view name, std::string_view text, const ParameterBase& bounds)
{
    const auto value = sum_of_times(text, bounds.default_unit);
    if (!value)
        return std::unexpected(fmt::format("parameter {}: bad time value or unit: {}", name, text));
    if (*value < bounds.at_least)
        return std::unexpected(fmt::format("invalid {}: {} (min {})", name, *value, bounds.at_least));
    if (*value > bounds.at_most)
        return std::unexpected(fmt::format("invalid {}: {} (max {})", name, *value, bounds.at_most));
    return *value;
}

std::string check_value(std::string_view name, std::string_view text, const ParameterBase& parameter)
{
    const auto error_of = [](const auto& result) { return result ? std::string() : result.error(); };
    switch (parameter.type) {
    case Type::integer:
        return error_of(parse_integer(name, text, parameter));
    case Type::boolean:
        return error_of(parse_boolean(name, text));
    case Type::time:
        return error_of(parse_time(name, text, parameter));
    case Type::string:
    case Type::raw:
        break;
    }
    const auto length = static_cast<long>(text.size());
    if (length < parameter.at_least)
        return fmt::format("bad string length {} < {}: {} = {}", length, parameter.at_least, name, text);
    if (length > parameter.at_most)
        return fmt::format("bad string length {} > {}: {} = {}", length, parameter.at_most, name, text);
    return {};
}

} // namespace facteur::config
