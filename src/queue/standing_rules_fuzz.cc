// cleanup reads this file: whatever it holds, reading and writing it again keeps the rules.
#include "queue/standing_rules.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace facteur::queue;
    const auto parsed = parse_rules(std::string_view(reinterpret_cast<const char*>(data), size));
    const auto again = parse_rules(format_rules(parsed.rules));
    if (again.rules.size() != parsed.rules.size())
        __builtin_trap();
    return 0;
}
