#include "smtp/reply.h"

#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    std::string_view text(reinterpret_cast<const char*>(data), size);
    facteur::smtp::ReplyReader reader;
    while (!text.empty()) {
        const auto newline = text.find('\n');
        if (reader.add(text.substr(0, newline)) != facteur::smtp::ReplyReader::Step::more)
            (void)reader.take().one_line();
        if (newline == text.npos)
            break;
        text.remove_prefix(newline + 1);
    }
    return 0;
}
