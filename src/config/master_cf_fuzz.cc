// A hostile master.cf: refused with words, or entries that hold what they must.
#include "base/log.h"
#include "config/master_cf.h"

#include <cstddef>
#include <cstdint>

namespace {

class NoSink : public facteur::log::Sink {
    void write(facteur::log::Severity, std::string_view, std::string_view) override {}
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size)
{
    static const auto config = [] {
        facteur::log::set_sink(std::make_unique<NoSink>());
        return facteur::config::Config::from_text("");
    }();
    const auto entries = facteur::config::parse_master_cf({reinterpret_cast<const char*>(bytes), size}, *config);
    if (!entries)
        return 0;
    for (const auto& entry : *entries) {
        if (entry.name.empty() || entry.program.empty() || entry.program.find('/') != std::string::npos)
            __builtin_trap();
        (void)entry.overrides();
    }
    return 0;
}
