// The content pass: chunking makes no difference, nor does the choice between bulk and line-by-line copying; what is
// stored has CRLF line ends only.
#include "mail/content_pass.h"

#include <cstdlib>

namespace {

using namespace facteur::mail;

std::string run(std::string_view content, std::size_t chunk, bool by_line)
{
    ContentOptions options;
    options.add_missing = AddMissing::yes;
    options.message_id = "<i>";
    options.date = "d";
    options.header_size_limit = 200;
    options.strict_mime = by_line;
    options.extract_recipients = true;
    ContentHooks hooks;
    hooks.rewrite_address = [](std::string_view address, AddressRole) { return std::string{address} + "x"; };
    ContentPass pass{options, hooks};
    for (std::size_t at = 0; at < content.size(); at += chunk)
        pass.push(content.substr(at, chunk));
    pass.finish();
    if (pass.facts().stored_bytes != pass.output().size())
        std::abort();
    return pass.output();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* bytes, std::size_t size)
{
    const std::string_view content{reinterpret_cast<const char*>(bytes), size};
    const std::string whole = run(content, size + 1, false);
    if (run(content, 3, false) != whole || run(content, 5, true) != whole)
        std::abort();
    for (std::size_t i = 0; i < whole.size(); ++i) {
        if (whole[i] == '\n' && (i == 0 || whole[i - 1] != '\r'))
            std::abort();
        if (whole[i] == '\r' && (i + 1 == whole.size() || whole[i + 1] != '\n'))
            std::abort();
    }
    return 0;
}
