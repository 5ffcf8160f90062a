#include "config/match_list.h"

#include "base/fd.h"
#include "base/text.h"
#include "config/cidr.h"

#include <fmt/format.h>

#include <variant>

namespace facteur::config {

namespace {

constexpr int kIncludeDepth = 10;

struct Table {
    std::string spec;
};

struct Element {
    bool negated = false;
    std::variant<std::string, Network, Table> pattern; // a string is in lower case
};

// "hash:/path": letters, digits and the like, a colon, a name. "[::1]", "::1" and "2001:db8::1" are addresses.
bool looks_like_table(std::string_view text)
{
    const auto colon = text.find(':');
    if (colon == text.npos || colon == 0 || text.front() == '[')
        return false;
    for (const char c : text.substr(0, colon))
        if (!text::is_alnum(c) && c != '_' && c != '-')
            return false;
    return !Address::parse(text) && text.find_first_not_of("0123456789abcdefABCDEF:/.") != text.npos;
}

// Whether a word of an address or host list was meant as an address or network rather than as a name.
bool looks_like_network(std::string_view text)
{
    if (text.front() == '[')
        return true;
    const bool ipv6 = text.find(':') != text.npos;
    return text.find_first_not_of(ipv6 ? "0123456789abcdefABCDEF:./" : "0123456789./") == text.npos &&
           (ipv6 || text::is_digit(text.front()));
}

} // namespace

struct MatchList::State {
    Options options;
    TableProbe probe;
    std::vector<Element> elements;

    std::expected<void, std::string> add(std::string_view list, bool negated, int depth);
    std::expected<void, std::string> add_word(std::string_view word, bool negated, int depth);
    std::expected<void, std::string> include(const std::string& path, bool negated, int depth);

    std::expected<bool, std::string> match_name(const Element& element, std::string_view folded) const;
    std::expected<bool, std::string> match_address(const Element& element, std::string_view text,
                                                   const std::optional<Address>& address) const;
    std::expected<bool, std::string> look_up_name(const std::string& spec, std::string_view name) const;
};

std::expected<void, std::string> MatchList::State::include(const std::string& path, bool negated, int depth)
{
    if (depth >= kIncludeDepth)
        return std::unexpected(fmt::format("{}: {}: files include one another", options.parameter, path));
    const auto text = read_file(path);
    if (!text)
        return std::unexpected(fmt::format("{}: {}", options.parameter, text.error().message()));
    for (auto line : text::split(*text, "\n")) {
        line = text::trim(line);
        if (line.empty() || line.front() == '#')
            continue;
        if (auto good = add(line, negated, depth + 1); !good)
            return good;
    }
    return {};
}

std::expected<void, std::string> MatchList::State::add_word(std::string_view word, bool negated, int depth)
{
    while (word.starts_with('!')) {
        negated = !negated;
        word.remove_prefix(1);
    }
    if (word.empty())
        return std::unexpected(fmt::format("{}: no pattern after '!'", options.parameter));
    if (word.front() == '/')
        return include(std::string(word), negated, depth);
    if (looks_like_table(word)) {
        elements.push_back({negated, Table{std::string(word)}});
        return {};
    }
    const bool addresses = options.kind == ListKind::address || options.kind == ListKind::host;
    if (addresses && looks_like_network(word)) {
        const auto network = Network::parse(word);
        if (!network)
            return std::unexpected(options.parameter.empty()
                                       ? network.error()
                                       : fmt::format("{}: {}", options.parameter, network.error()));
        elements.push_back({negated, *network});
        return {};
    }
    elements.push_back({negated, text::to_lower(word)});
    return {};
}

std::expected<void, std::string> MatchList::State::add(std::string_view list, bool negated, int depth)
{
    for (const auto word : text::split_list(list))
        if (!word.empty())
            if (auto good = add_word(word, negated, depth); !good)
                return good;
    return {};
}

// A table has a whole name as its key, then the name's parent domains: "example.org" where parents match their
// subdomains, ".example.org" elsewhere.
std::expected<bool, std::string> MatchList::State::look_up_name(const std::string& spec, std::string_view name) const
{
    if (!probe)
        return std::unexpected(fmt::format("{}: no tables can be used here: {}", options.parameter, spec));
    auto found = probe(spec, name);
    if (!found || *found || options.kind == ListKind::text)
        return found;
    for (auto dot = name.find('.', 1); dot != name.npos; dot = name.find('.', dot + 1)) {
        found = probe(spec, name.substr(options.parent_matches_subdomains ? dot + 1 : dot));
        if (!found || *found)
            return found;
    }
    return false;
}

std::expected<bool, std::string> MatchList::State::match_name(const Element& element, std::string_view folded) const
{
    if (const auto* table = std::get_if<Table>(&element.pattern))
        return look_up_name(table->spec, folded);
    const auto* pattern = std::get_if<std::string>(&element.pattern);
    if (pattern == nullptr)
        return false;
    if (*pattern == folded)
        return true;
    if (options.kind == ListKind::text || folded.size() <= pattern->size() || !folded.ends_with(*pattern))
        return false;
    return options.parent_matches_subdomains ? folded[folded.size() - pattern->size() - 1] == '.'
                                             : pattern->front() == '.';
}

std::expected<bool, std::string> MatchList::State::match_address(const Element& element, std::string_view text,
                                                                 const std::optional<Address>& address) const
{
    if (const auto* table = std::get_if<Table>(&element.pattern)) {
        if (!probe)
            return std::unexpected(fmt::format("{}: no tables can be used here: {}", options.parameter, table->spec));
        return probe(table->spec, text);
    }
    if (const auto* network = std::get_if<Network>(&element.pattern))
        return address && network->contains(*address);
    return std::get<std::string>(element.pattern) == text;
}

MatchList::MatchList(std::unique_ptr<State> state) : state_(std::move(state)) {}
MatchList::MatchList(MatchList&&) noexcept = default;
MatchList& MatchList::operator=(MatchList&&) noexcept = default;
MatchList::~MatchList() = default;

std::expected<MatchList, std::string> MatchList::parse(std::string_view list, Options options, TableProbe probe)
{
    auto state = std::make_unique<State>();
    state->options = std::move(options);
    state->probe = std::move(probe);
    if (auto good = state->add(list, false, 0); !good)
        return std::unexpected(good.error());
    return MatchList(std::move(state));
}

std::expected<bool, std::string> MatchList::matches(std::string_view subject) const
{
    const auto folded = text::to_lower(subject);
    const bool by_address = state_->options.kind == ListKind::address;
    const auto address = by_address ? Address::parse(folded) : std::nullopt;
    for (const auto& element : state_->elements) {
        const auto hit =
            by_address ? state_->match_address(element, folded, address) : state_->match_name(element, folded);
        if (!hit)
            return hit;
        if (*hit)
            return !element.negated;
    }
    return false;
}

std::expected<bool, std::string> MatchList::matches_host(std::string_view name, std::string_view address_text) const
{
    const auto folded = text::to_lower(name);
    const auto folded_address = text::to_lower(address_text);
    const auto address = Address::parse(folded_address);
    for (const auto& element : state_->elements) {
        auto hit = state_->match_name(element, folded);
        if (hit && !*hit)
            hit = state_->match_address(element, folded_address, address);
        if (!hit)
            return hit;
        if (*hit)
            return !element.negated;
    }
    return false;
}

bool MatchList::empty() const
{
    return state_->elements.empty();
}

} // namespace facteur::config
