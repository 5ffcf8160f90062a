// A hostile main.cf: refused with words, or every parameter has a value.
#include "config/config.h"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size)
{
    const auto config = facteur::config::Config::from_text({reinterpret_cast<const char*>(bytes), size});
    if (!config) {
        if (config.error().text.empty())
            __builtin_trap();
        return 0;
    }
    for (const auto* parameter : facteur::config::all_parameters())
        (void)config->value(parameter->name);
    (void)config->get(facteur::config::params::message_size_limit);
    (void)config->get(facteur::config::params::smtpd_timeout);
    (void)config->warnings();
    return 0;
}
