// The MIME walker through the downgrade that uses it: chunking makes no difference.
#include "mail/mime.h"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* bytes, std::size_t size)
{
    using namespace facteur::mail;
    const std::string_view content{reinterpret_cast<const char*>(bytes), size};
    EightBitDowngrade downgrade;
    std::string out;
    for (std::size_t at = 0; at < content.size(); at += 7)
        downgrade.push(content.substr(at, 7), out);
    downgrade.finish(out);
    if (out != downgrade_8bit(content))
        std::abort();
    parse_content_type(content);
    parse_transfer_encoding(content);
    return 0;
}
