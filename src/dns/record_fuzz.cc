#include "dns/record.h"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size)
{
    using facteur::dns::Type;
    if (size == 0)
        return 0;
    constexpr Type kTypes[] = {Type::a, Type::cname, Type::ptr, Type::mx, Type::txt, Type::aaaa, Type::srv, Type::tlsa};
    const std::string_view rdata(reinterpret_cast<const char*>(bytes) + 1, size - 1);
    (void)facteur::dns::parse_record(kTypes[bytes[0] % std::size(kTypes)], rdata);
    return 0;
}
