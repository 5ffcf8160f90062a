// After a crash a segment may hold anything.
#include "queue/journal.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    for (const auto& record : facteur::queue::parse_segment(bytes, size > 4100 ? data[4096] : 1))
        (void)record.payload.size();
    return 0;
}
