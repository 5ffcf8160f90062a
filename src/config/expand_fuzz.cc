// Expansion of a hostile text whose parameters refer to one another.
#include "config/expand.h"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size)
{
    const std::string_view text(reinterpret_cast<const char*>(bytes), size);
    // $a is the first half of the input, $b the second: loops and bombs are a mutation away.
    const auto find = [&](std::string_view name) -> std::optional<facteur::config::ParameterText> {
        if (name == "a")
            return facteur::config::ParameterText{text.substr(0, size / 2)};
        if (name == "b")
            return facteur::config::ParameterText{text.substr(size / 2), true};
        return std::nullopt;
    };
    const auto value = facteur::config::expand_text(text, find);
    if (!value && value.error().empty())
        __builtin_trap();
    return 0;
}
