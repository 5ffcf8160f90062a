#include "config/params.h"

#include <algorithm>
#include <array>
#include <unordered_map>

namespace facteur::config {

namespace {

constexpr Type kTypeOfString = Type::string;
constexpr Type kTypeOfRaw = Type::raw;
constexpr Type kTypeOfInteger = Type::integer;
constexpr Type kTypeOfBoolean = Type::boolean;
constexpr Type kTypeOfTime = Type::time;

// Undoes what params.h does to a name that starts with a digit.
constexpr std::string_view name_of(std::string_view identifier)
{
    if (identifier.size() > 1 && identifier[0] == 'n' && identifier[1] >= '0' && identifier[1] <= '9')
        identifier.remove_prefix(1);
    return identifier;
}

} // namespace

namespace params {

#define FACTEUR_PARAMETER(kind, name_, default_, ...)                                                                  \
    constinit const kind##Parameter name_{                                                                             \
        {.name = name_of(#name_), .default_text = default_, .type = kTypeOf##kind, __VA_ARGS__}};
#include "config/params/all.def"
#undef FACTEUR_PARAMETER

} // namespace params

std::span<const ParameterBase* const> all_parameters()
{
    static const auto sorted = [] {
        auto all = std::to_array<const ParameterBase*>({
#define FACTEUR_PARAMETER(kind, name_, default_, ...) &params::name_,
#include "config/params/all.def"
#undef FACTEUR_PARAMETER
        });
        std::ranges::sort(all, {}, &ParameterBase::name);
        return all;
    }();
    return sorted;
}

const ParameterBase* find_parameter(std::string_view name)
{
    static const auto index = [] {
        std::unordered_map<std::string_view, const ParameterBase*> map;
        for (const auto* parameter : all_parameters())
            map.emplace(parameter->name, parameter);
        return map;
    }();
    const auto found = index.find(name);
    return found == index.end() ? nullptr : found->second;
}

} // namespace facteur::config
