// The text and alias source formats, and base64.
#include "base/log.h"
#include "table/alias_source.h"
#include "table/file_values.h"
#include "table/text_source.h"

#include <cstdint>
#include <cstdlib>

namespace {
class Silence final : public facteur::log::Sink {
public:
    void write(facteur::log::Severity, std::string_view, std::string_view) override {}
};
} // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***)
{
    facteur::log::set_sink(std::make_unique<Silence>());
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace facteur::table;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    read_text_source(text, "map", {.utf8 = true, .values_are_files = false, .ignoring = {}},
                     [](std::string_view key, std::string_view value, int line) {
                         if (key.empty() || value.empty() || line < 1)
                             std::abort();
                         return true;
                     });
    read_alias_source(text, "aliases", AliasText::any, [](std::string_view, std::string_view) { return true; });
    if (base64_decode(base64_encode(text)) != text)
        std::abort();
    (void)base64_decode(text);
    return 0;
}
