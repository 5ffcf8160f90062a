// "cidr:": the first network that holds the address answers. Source: cidr_table(5).
#include "base/text.h"
#include "config/cidr.h"
#include "table/file_values.h"
#include "table/source_lines.h"

#include <algorithm>
#include <limits>

namespace facteur::table {
namespace {

// "192.0.2.0/24", "[2001:db8::]/32", "2001:db8::1". Errors in Postfix's words.
std::expected<config::Network, std::string> parse_network(std::string_view pattern)
{
    std::string unbracketed;
    if (pattern.starts_with('[')) {
        const auto close = pattern.find(']');
        if (close == pattern.npos)
            return std::unexpected(fmt::format("missing ']' character after \"{}\"", pattern));
        const auto rest = pattern.substr(close + 1);
        if (!rest.empty() && rest.front() != '/')
            return std::unexpected(fmt::format("garbage after \"{}\"", pattern.substr(0, close + 1)));
        unbracketed.append(pattern.substr(1, close - 1)).append(rest);
        pattern = unbracketed;
    }
    const auto slash = pattern.find('/');
    const auto address = config::Address::parse(pattern.substr(0, slash));
    if (slash == pattern.npos) {
        if (!address)
            return std::unexpected(fmt::format("bad address pattern: \"{}\"", pattern));
        return config::Network{*address, address->bits()};
    }
    const auto mask = pattern.substr(slash + 1);
    if (mask.empty() || !std::ranges::all_of(mask, text::is_digit))
        return std::unexpected(fmt::format("bad mask value in \"{}\"", pattern));
    if (!address)
        return std::unexpected(fmt::format("bad network value in \"{}\"", pattern));
    const long bits = text::to_long(mask).value_or(std::numeric_limits<long>::max());
    if (bits > address->bits())
        return std::unexpected(fmt::format("bad mask length in \"{}\"", pattern));
    const int prefix = static_cast<int>(bits);
    const config::Address base = address->masked(prefix);
    if (base != *address)
        return std::unexpected(
            fmt::format("non-null host address bits in \"{}\", perhaps you should use \"{}/{}\" instead", pattern,
                        base.text(), prefix));
    return config::Network{base, prefix};
}

struct Rule {
    config::Network network;
    bool negated = false;
    bool is_if = false;
    std::size_t behind_endif = 0;
    std::string value;
};

class CidrTable final : public Table {
public:
    CidrTable(std::string spec, WatchedFile watch, std::vector<Rule> rules)
        : Table(std::move(spec)), watch_(std::move(watch)), rules_(std::move(rules))
    {
    }

    LookupResult lookup(std::string_view key) override
    {
        const auto address = config::Address::parse(key);
        if (!address)
            return std::nullopt;
        for (std::size_t at = 0; at < rules_.size();) {
            const Rule& rule = rules_[at];
            const bool holds = rule.network.contains(*address) != rule.negated;
            if (holds && !rule.is_if)
                return rule.value;
            at = holds || !rule.is_if ? at + 1 : rule.behind_endif;
        }
        return std::nullopt;
    }
    bool is_pattern() const override { return true; }
    bool changed() const override { return watch_.changed(); }

private:
    WatchedFile watch_;
    std::vector<Rule> rules_;
};

class RuleParser {
public:
    RuleParser(const RuleSource& source, const TableOptions& options) : source_(source), options_(options) {}

    std::vector<Rule> run()
    {
        for (const SourceLine& line : source_.lines)
            if (const std::string error = parse(line.text, line.number); !error.empty())
                source_.warn(line.number, error + ": skipping this rule");
        for (const auto& block : blocks_.unclosed()) {
            source_.warn(block.line, "IF has no matching ENDIF");
            rules_[block.rule].behind_endif = rules_.size();
        }
        return std::move(rules_);
    }

private:
    // The error, empty when the line was understood.
    std::string parse(std::string_view text, int line)
    {
        Rule rule;
        if (starts_with_keyword(text, "endif"))
            return parse_endif(text::trim(text.substr(5)));
        if (starts_with_keyword(text, "if")) {
            rule.is_if = true;
            text = text::trim(text.substr(2));
        }
        for (; text.starts_with('!'); text = text::trim(text.substr(1)))
            rule.negated = !rule.negated;
        const auto pattern = rule.is_if ? text : text.substr(0, text.find_first_of(" \t\r\n\v\f"));
        if (pattern.empty())
            return "no address pattern";
        const auto network = parse_network(pattern);
        if (!network)
            return network.error();
        if (!rule.is_if)
            if (std::string error = parse_value(rule, text::trim(text.substr(pattern.size()))); !error.empty())
                return error;
        rule.network = *network;
        if (rule.is_if)
            blocks_.enter(rules_.size(), line);
        rules_.push_back(std::move(rule));
        return {};
    }

    std::string parse_value(Rule& rule, std::string_view text) const
    {
        if (text.empty())
            return "no lookup result";
        rule.value = text;
        if (!options_.values_are_files)
            return {};
        auto encoded = base64_of_files(text);
        if (!encoded)
            return encoded.error();
        rule.value = std::move(*encoded);
        return {};
    }

    std::string parse_endif(std::string_view extra)
    {
        if (!extra.empty())
            return "garbage after ENDIF";
        const auto block = blocks_.leave();
        if (!block)
            return "ENDIF without IF";
        rules_[block->rule].behind_endif = rules_.size();
        return {};
    }

    const RuleSource& source_;
    const TableOptions& options_;
    std::vector<Rule> rules_;
    OpenBlocks blocks_;
};

} // namespace

Opened open_cidr(const OpenRequest& request)
{
    auto source = read_rules(request);
    if (!source)
        return std::unexpected(source.error());
    auto rules = RuleParser(*source, request.options).run();
    return std::make_unique<CidrTable>(request.spec.text(), std::move(source->watch), std::move(rules));
}

} // namespace facteur::table
