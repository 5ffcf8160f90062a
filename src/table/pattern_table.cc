#include "table/pattern_table.h"

#include "base/log.h"
#include "base/text.h"
#include "table/file_values.h"

namespace facteur::table {
namespace {

// "!/expression/flags", as written.
struct PatternText {
    bool negated = false;
    std::string expression;
    unsigned options = 0;
};

// Takes a pattern off the front of rest. The error is a complete message.
std::expected<PatternText, std::string> take_pattern(std::string_view& rest, const PatternDialect& dialect,
                                                     const PatternDialect::Warn& warn)
{
    PatternText out;
    rest = text::trim(rest);
    for (; rest.starts_with('!'); rest = text::trim(rest.substr(1)))
        out.negated = !out.negated;
    if (rest.empty())
        return std::unexpected("no regexp: skipping this rule");
    const char delimiter = rest.front();
    std::size_t end = 1;
    while (end < rest.size() && rest[end] != delimiter)
        end += rest[end] == '\\' && end + 1 < rest.size() ? 2 : 1;
    if (end >= rest.size())
        return std::unexpected(fmt::format("no closing regexp delimiter \"{}\": {}", delimiter, dialect.unclosed));
    out.expression = rest.substr(1, end - 1);
    rest.remove_prefix(end + 1);
    std::size_t flags = 0;
    while (flags < rest.size() && !text::is_space(rest[flags]) && !(dialect.second_pattern && rest[flags] == '!'))
        ++flags;
    const auto options = dialect.options(rest.substr(0, flags), warn);
    if (!options)
        return std::unexpected(options.error());
    out.options = *options;
    rest.remove_prefix(flags);
    return out;
}

struct Condition {
    bool negated = false;
    std::unique_ptr<Matcher> matcher;
};

struct Rule {
    int line = 0;
    std::vector<Condition> conditions; // all must hold
    bool is_if = false;
    std::size_t behind_endif = 0; // of an IF
    Replacement replacement;
};

class PatternTable final : public Table {
public:
    PatternTable(std::string spec, RuleSource source, std::vector<Rule> rules)
        : Table(std::move(spec)), source_(std::move(source)), rules_(std::move(rules))
    {
        source_.lines = {};
    }

    LookupResult lookup(std::string_view key) override
    {
        const std::string subject(key);
        for (std::size_t at = 0; at < rules_.size();) {
            Rule& rule = rules_[at];
            const bool holds = matches(rule, subject);
            if (holds && !rule.is_if)
                return rule.replacement.expand(subject, groups_);
            at = holds || !rule.is_if ? at + 1 : rule.behind_endif;
        }
        return std::nullopt;
    }
    bool is_pattern() const override { return true; }
    bool changed() const override { return source_.watch.changed(); }

private:
    bool matches(Rule& rule, const std::string& subject)
    {
        for (Condition& condition : rule.conditions) {
            const bool wanted = !condition.negated && rule.replacement.highest_group() > 0;
            const auto matched = condition.matcher->match(subject, wanted ? &groups_ : nullptr);
            if (!matched)
                source_.warn(rule.line, matched.error());
            if (!matched || *matched == condition.negated)
                return false;
        }
        return true;
    }

    RuleSource source_;
    std::vector<Rule> rules_;
    Groups groups_; // of the last match
};

// Turns lines into rules; a line that makes no sense gets a warning and is left out.
class RuleParser {
public:
    RuleParser(const RuleSource& source, const PatternDialect& dialect, const OpenRequest& request)
        : source_(source), dialect_(dialect), request_(request)
    {
    }

    std::vector<Rule> run()
    {
        for (const SourceLine& line : source_.lines) {
            line_ = line.number;
            parse(line.text);
        }
        for (const auto& block : blocks_.unclosed()) {
            source_.warn(block.line, "IF has no matching ENDIF");
            rules_[block.rule].behind_endif = rules_.size();
        }
        return std::move(rules_);
    }

private:
    void warn(std::string_view text) const { source_.warn(line_, text); }

    void parse(std::string_view text)
    {
        if (!text::is_alnum(text.front()))
            parse_match(text);
        else if (starts_with_keyword(text, "if"))
            parse_if(text.substr(2));
        else if (starts_with_keyword(text, "endif"))
            parse_endif(text::trim(text.substr(5)));
        else
            warn("ignoring unrecognized request");
    }

    void parse_match(std::string_view rest)
    {
        std::vector<PatternText> patterns;
        if (!take_patterns(rest, patterns))
            return;
        rest = text::trim(rest);
        if (rest.empty())
            warn("no replacement text: using empty string");
        auto replacement = parse_replacement(rest);
        if (!replacement)
            return;
        const int highest = replacement->highest_group();
        if (highest > 0 && patterns.front().negated)
            return warn("$number found in negative match replacement text: skipping this rule");
        if (highest > 0 && !request_.options.allow_substitution)
            return warn("regular expression substitution is not allowed: skipping this rule");
        Rule rule{.line = line_, .conditions = {}, .replacement = std::move(*replacement)};
        if (!compile(rule, patterns, highest > 0 ? WantGroups::yes : WantGroups::no))
            return;
        if (highest > rule.conditions.front().matcher->group_count())
            return warn(fmt::format("out of range replacement index \"{}\": skipping this rule", highest));
        rules_.push_back(std::move(rule));
    }

    void parse_if(std::string_view rest)
    {
        std::vector<PatternText> patterns;
        if (!take_patterns(rest, patterns))
            return;
        if (const auto extra = text::trim(rest); !extra.empty()) {
            warn(fmt::format("ignoring extra text after IF statement: \"{}\"", extra));
            warn("do not prepend whitespace to statements between IF and ENDIF");
        }
        Rule rule{.line = line_, .conditions = {}, .is_if = true, .replacement = {}};
        if (!compile(rule, patterns, WantGroups::no))
            return;
        blocks_.enter(rules_.size(), line_);
        rules_.push_back(std::move(rule));
    }

    void parse_endif(std::string_view extra)
    {
        const auto block = blocks_.leave();
        if (!block)
            return warn("ignoring ENDIF without matching IF");
        if (!extra.empty())
            warn("ignoring extra text after ENDIF");
        rules_[block->rule].behind_endif = rules_.size();
    }

    bool take_patterns(std::string_view& rest, std::vector<PatternText>& patterns)
    {
        do {
            auto pattern = take_pattern(rest, dialect_, [this](std::string_view text) { warn(text); });
            if (!pattern) {
                warn(pattern.error());
                return false;
            }
            patterns.push_back(std::move(*pattern));
        } while (patterns.size() < 2 && dialect_.second_pattern && rest.starts_with('!'));
        return true;
    }

    std::optional<Replacement> parse_replacement(std::string_view text)
    {
        std::string content;
        if (request_.options.values_are_files) {
            auto encoded = base64_of_files(text);
            if (!encoded) {
                warn(encoded.error() + ": skipping this rule");
                return std::nullopt;
            }
            content = std::move(*encoded);
            text = content;
        }
        auto replacement = Replacement::parse(text, dialect_.index_range);
        if (replacement)
            return std::move(*replacement);
        if (replacement.error().about_rule)
            warn(replacement.error().text);
        else
            log::warning("{}", replacement.error().text);
        warn("bad replacement syntax: skipping this rule");
        return std::nullopt;
    }

    bool compile(Rule& rule, const std::vector<PatternText>& patterns, WantGroups groups)
    {
        for (const PatternText& pattern : patterns) {
            auto matcher = dialect_.compile(pattern.expression, pattern.options, groups);
            if (!matcher) {
                warn(matcher.error());
                return false;
            }
            rule.conditions.push_back({pattern.negated, std::move(*matcher)});
        }
        return true;
    }

    const RuleSource& source_;
    const PatternDialect& dialect_;
    const OpenRequest& request_;
    int line_ = 0;
    std::vector<Rule> rules_;
    OpenBlocks blocks_;
};

} // namespace

Opened open_pattern_table(const OpenRequest& request, const PatternDialect& dialect)
{
    auto source = read_rules(request);
    if (!source)
        return std::unexpected(source.error());
    auto rules = RuleParser(*source, dialect, request).run();
    return std::make_unique<PatternTable>(request.spec.text(), std::move(*source), std::move(rules));
}

} // namespace facteur::table
