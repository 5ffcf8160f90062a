#include "smtp/path.h"

#include <cstdint>
#include <cstdlib>

// Whatever strict accepts, lenient reads alike.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace facteur::smtp;
    const std::string_view word(reinterpret_cast<const char*>(data), size);
    const auto lenient = parse_path(word, PathSyntax::lenient);
    const auto strict = parse_path(word, PathSyntax::strict);
    if (strict && strict != lenient)
        std::abort();
    (void)plain_address(word);
    return 0;
}
