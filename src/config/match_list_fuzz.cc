// A hostile list and subject; the first byte chooses the kind, a newline parts the two. Lists that name files are left
// out: what they say depends on the machine.
#include "config/match_list.h"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size)
{
    using namespace facteur::config;
    if (size < 2)
        return 0;
    const std::string_view text(reinterpret_cast<const char*>(bytes) + 1, size - 1);
    const auto end = std::min(text.find('\n'), text.size());
    const auto list = text.substr(0, end);
    if (list.find('/') != list.npos && list.find_first_of("0123456789") == list.npos)
        return 0;
    MatchList::Options options{.kind = static_cast<ListKind>(bytes[0] % 4),
                               .parent_matches_subdomains = (bytes[0] & 4) != 0};
    const auto parsed =
        MatchList::parse(list, options, [](auto, auto) { return std::expected<bool, std::string>(false); });
    if (parsed) {
        (void)parsed->matches(text.substr(end));
        (void)parsed->matches_host(text.substr(end), "192.0.2.1");
    }
    return 0;
}
