// mynetworks: whom we trust must be written so that it means something.
#include "base/fd.h"
#include "base/text.h"
#include "config/check_parts.h"
#include "config/cidr.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>

namespace facteur::config {

namespace {

enum class Known { yes, no, nobody_answers };

Known look_up(std::string_view host)
{
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int code = ::getaddrinfo(std::string(host).c_str(), nullptr, &hints, &found);
    if (code == 0)
        ::freeaddrinfo(found);
    return code == 0 ? Known::yes : code == EAI_AGAIN ? Known::nobody_answers : Known::no;
}

std::string about(const Findings& findings, std::string_view what)
{
    return fmt::format("mynetworks = {}: {}", findings.config().get(params::mynetworks), what);
}

} // namespace

void check_networks(Findings& findings)
{
    bool resolver_answers = true;
    const auto blame = [&](std::string_view what) { findings.blame("mynetworks", about(findings, what)); };
    for (auto word : text::split_list(findings.config().get(params::mynetworks))) {
        if (word.starts_with('!'))
            word.remove_prefix(1);
        if (word.starts_with('/')) {
            if (const auto file = open_file(std::string(word), O_RDONLY); !file)
                blame(file.error().message());
            continue;
        }
        const bool numeric = word.find_first_not_of("0123456789abcdefABCDEF.:/[]") == word.npos &&
                             word.find_first_of("0123456789") != word.npos;
        if (const auto network = Network::parse(word); numeric && !network) {
            blame(network.error());
            continue;
        } else if (network || word.starts_with('.') || word.find_first_of(":/") != word.npos || !resolver_answers) {
            continue;
        }
        // A name is compared with the client's, which must lead back to its address.
        const Known known = look_up(word);
        resolver_answers = known != Known::nobody_answers;
        if (known == Known::no)
            blame(fmt::format("host {} is unknown to the resolver and matches no client; write its address", word));
        else if (known == Known::nobody_answers)
            blame(fmt::format("host {}: the resolver does not answer", word));
    }
}

} // namespace facteur::config
