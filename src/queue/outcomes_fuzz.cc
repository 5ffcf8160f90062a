#include "queue/outcomes.h"

#include <cstddef>
#include <cstdint>

// Whatever a log holds, only queue ids come out of it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    facteur::queue::Outcomes outcomes;
    outcomes.add({reinterpret_cast<const char*>(data), size}, size % 2 == 0);
    return 0;
}
