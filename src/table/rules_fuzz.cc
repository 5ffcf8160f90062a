// Rule tables (regexp, pcre, cidr), inline tables and list syntax: the first line is the key, the rest the rules.
#include "base/log.h"
#include "table/maps.h"

#include <cstdint>

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
    using namespace facteur;
    // The C library's regcomp takes time and memory without bound for long repetitions.
    constexpr std::size_t kLongest = 512;
    static const auto config = config::Config::from_text("");
    const std::string_view text(reinterpret_cast<const char*>(data), std::min(size, kLongest));
    const auto line = text.find('\n');
    const std::string key(text.substr(0, line));
    const std::string rules(line == text.npos ? "" : text.substr(line + 1));
    const bool repeats = rules.find_first_of("{+*") != rules.npos;
    for (const std::string type : {"regexp", "pcre", "cidr", "inline", "randmap"}) {
        if (type == "regexp" && repeats)
            continue;
        if (auto table = table::try_open_table(type + ":{{" + rules + "}}", {}, *config))
            (void)(*table)->lookup(key);
    }
    (void)table::try_open_table("static:{" + rules, {}, *config);
    (void)table::address_keys(key, "+-", true);
    return 0;
}
