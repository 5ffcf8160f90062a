#include "daemons/smtp/ehlo.h"
#include "daemons/smtp/server_reply.h"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size)
{
    using namespace facteur::smtp_client;
    std::string_view rest(reinterpret_cast<const char*>(bytes), size);
    ReplyParser parser;
    while (!rest.empty()) {
        const auto line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(rest.size(), line.size() + 1));
        if (!parser.add(line))
            continue;
        const Reply reply = parser.take();
        if (reply.code == 0 || reply.status.empty())
            __builtin_trap();
        (void)parse_ehlo(reply.text);
        (void)greeted_by(reply.text);
    }
    return 0;
}
