#include "queue/maildrop.h"

#include <algorithm>

// Bytes in pieces of changing size: the parser must end each step and never keep more than its limits.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace facteur::queue;
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    MaildropParser parser;
    LineEndings endings;
    std::string payload;
    for (std::size_t at = 0, step = 1; at < size; at += step, step = step % 17 + 1) {
        parser.push(bytes.substr(at, step));
        for (;;) {
            const auto found = parser.next(payload);
            if (found == MaildropParser::Step::envelope)
                (void)accept_user_envelope(payload);
            else if (found == MaildropParser::Step::content)
                (void)endings.convert(payload);
            else
                break;
        }
    }
    (void)endings.finish();
    return 0;
}
