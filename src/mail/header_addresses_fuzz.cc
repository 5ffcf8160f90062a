// Address headers: never crashes, and a rewritten header is stable when nothing changes any more.
#include "mail/address.h"
#include "mail/rewrite.h"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* bytes, std::size_t size)
{
    using namespace facteur::mail;
    const std::string_view value{reinterpret_cast<const char*>(bytes), size};
    const RewriteSettings settings{.myorigin = "o.example", .mydomain = "example", .append_dot_mydomain = true};
    for (const std::string& address : header_addresses(value, 100)) {
        if (address.empty())
            std::abort();
        rewrite(address, RewriteContext::local, settings);
        if (to_internal(to_external(address)) != address && address.find('"') == address.npos &&
            address.find('\\') == address.npos)
            std::abort();
    }
    rewrite_header(
        value, {.complete = [&](std::string_view a) { return rewrite_external(a, RewriteContext::local, settings); },
                .map = [](std::string_view a) { return std::string{a} + ".x"; }});
    ResolverSettings resolver;
    resolver.rewrite = settings;
    resolver.myhostname = "h.example";
    resolver.is_local_domain = [](std::string_view domain) -> std::expected<bool, LookupFailure> {
        return domain.size() % 2 == 0;
    };
    if (!resolve("s@t", value.substr(0, 1000), resolver))
        std::abort();
    return 0;
}
