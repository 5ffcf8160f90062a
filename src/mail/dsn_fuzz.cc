// xtext and its relatives: what decodes encodes back to something that decodes to the same.
#include "mail/dsn.h"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* bytes, std::size_t size)
{
    using namespace facteur::mail;
    const std::string_view text{reinterpret_cast<const char*>(bytes), size};
    if (xtext_decode(xtext_encode(text)) != text)
        std::abort();
    if (const auto decoded = unitext_decode(text))
        for (const Unitext form : {Unitext::ascii, Unitext::utf8})
            if (unitext_decode(unitext_encode(*decoded, form)) != decoded)
                std::abort();
    if (const auto orcpt = parse_orcpt(text))
        if (const auto again = parse_orcpt(format_orcpt(*orcpt)); !again || again->text() != orcpt->text())
            std::abort();
    (void)parse_notify(text);
    (void)split_enhanced_status(text);
    return 0;
}
