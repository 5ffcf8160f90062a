#include "agent/bounce_log.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

// What is parsed can be written, and reads back the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size)
{
    using namespace facteur::agent;
    const std::string_view text(reinterpret_cast<const char*>(bytes), size);
    std::string again;
    const LoggedRecipients first = parse_log(text);
    for (const auto& entry : first.entries)
        again += encode_log_line(entry);
    if (parse_log(again).entries.size() != first.entries.size())
        std::abort();
    return 0;
}
