#include "daemons/bounce/templates.h"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size)
{
    facteur::bounce::Templates templates;
    templates.read({reinterpret_cast<const char*>(bytes), size}, "file");
    return 0;
}
