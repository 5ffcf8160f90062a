#include "daemons/local/destination.h"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size)
{
    const std::string_view text(reinterpret_cast<const char*>(bytes), size);
    facteur::local::parse_destinations(text);
    facteur::local::parse_include(text);
    return 0;
}
