#define PCRE2_CODE_UNIT_WIDTH 8
#include "queue/selection.h"

#include "base/text.h"
#include "queue/selection_node.h"

#include <pcre2.h>

#include <algorithm>

namespace facteur::queue {

namespace {

using Node = Selection::Node;

constexpr std::string_view kNullAddress = "MAILER-DAEMON"; // how listings show it, so expressions may name it

Truth opposite(Truth truth)
{
    return truth == Truth::unknown ? truth : truth == Truth::yes ? Truth::no : Truth::yes;
}

bool is_address(Field field)
{
    return field == Field::sender || field == Field::recipient;
}

bool equal_text(const Node& term, std::string_view text)
{
    const bool at_domain = is_address(term.field) && term.value.starts_with('@');
    const bool subdomain = (term.field == Field::domain || term.field == Field::sender_domain) &&
                           term.value.starts_with('.') && text.size() > term.value.size();
    return at_domain || subdomain ? text::iends_with(text, term.value) : text::iequals(text, term.value);
}

Truth satisfies(const Node& term, std::string_view text)
{
    if (!term.pattern)
        return equal_text(term, text) ? Truth::yes : Truth::no;
    const Truth found = term.pattern->matches(text);
    if (found == Truth::no && text.empty() && is_address(term.field))
        return term.pattern->matches(kNullAddress);
    return found;
}

Truth text_term(const Node& term, Facts& facts)
{
    const auto values = facts.texts(term.field);
    if (!values)
        return Truth::unknown;
    Truth found = Truth::no;
    for (const auto value : *values) {
        found = std::max(found, satisfies(term, value));
        if (found == Truth::yes)
            break;
    }
    const bool negated = term.comparison == Comparison::not_equal || term.comparison == Comparison::unlike;
    return negated ? opposite(found) : found;
}

bool compare(Comparison comparison, std::int64_t a, std::int64_t b)
{
    switch (comparison) {
    case Comparison::equal:
        return a == b;
    case Comparison::not_equal:
        return a != b;
    case Comparison::less:
        return a < b;
    case Comparison::at_most:
        return a <= b;
    case Comparison::more:
        return a > b;
    case Comparison::at_least:
        return a >= b;
    case Comparison::like:
    case Comparison::unlike:
        break; // not of numbers: the parser sees to it
    }
    return false;
}

bool is_number(Field field)
{
    return field == Field::age || field == Field::size || field == Field::recipients;
}

Truth evaluate(const Node& node, Facts& facts)
{
    switch (node.kind) {
    case Node::Kind::term:
        break;
    case Node::Kind::negation:
        return opposite(evaluate(node.children.front(), facts));
    case Node::Kind::all: {
        Truth truth = Truth::yes;
        for (const auto& child : node.children)
            if ((truth = std::min(truth, evaluate(child, facts))) == Truth::no)
                break;
        return truth;
    }
    case Node::Kind::any: {
        Truth truth = Truth::no;
        for (const auto& child : node.children)
            if ((truth = std::max(truth, evaluate(child, facts))) == Truth::yes)
                break;
        return truth;
    }
    }
    if (!is_number(node.field))
        return text_term(node, facts);
    const auto number = facts.number(node.field);
    if (!number)
        return Truth::unknown;
    return compare(node.comparison, *number, node.number) ? Truth::yes : Truth::no;
}

// The leftmost term of a field.
void find_field(const Node& node, Field field, std::optional<std::size_t>& offset)
{
    if (node.kind == Node::Kind::term && node.field == field)
        offset = std::min(offset.value_or(node.offset), node.offset);
    for (const auto& child : node.children)
        find_field(child, field, offset);
}

} // namespace

Truth Selection::matches(Facts& facts) const
{
    return evaluate(*root_, facts);
}

bool Selection::uses(Field field) const
{
    std::optional<std::size_t> offset;
    find_field(*root_, field, offset);
    return offset.has_value();
}

std::size_t Selection::where_used(Field field) const
{
    std::optional<std::size_t> offset;
    find_field(*root_, field, offset);
    return offset.value_or(0);
}

// --- regular expressions ---

std::expected<std::shared_ptr<const Pattern>, Pattern::Problem> Pattern::compile(std::string_view expression)
{
    constexpr std::uint32_t kMatchSteps = 100'000;
    constexpr std::uint32_t kHeapKilobytes = 1024;
    int error = 0;
    std::size_t offset = 0;
    const auto made = std::shared_ptr<Pattern>(new Pattern);
    auto* const code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(expression.data()), expression.size(),
                                     PCRE2_CASELESS | PCRE2_NEVER_UTF | PCRE2_NEVER_UCP | PCRE2_DOLLAR_ENDONLY, &error,
                                     &offset, nullptr);
    if (!code) {
        PCRE2_UCHAR text[256] = "not understood";
        pcre2_get_error_message(error, text, sizeof text);
        return std::unexpected(Problem{offset, reinterpret_cast<const char*>(text)});
    }
    made->code_ = code;
    made->match_ = pcre2_match_data_create(1, nullptr);
    auto* const limits = pcre2_match_context_create(nullptr);
    made->limits_ = limits;
    if (!made->match_ || !limits)
        return std::unexpected(Problem{0, "out of memory"});
    pcre2_set_match_limit(limits, kMatchSteps);
    pcre2_set_depth_limit(limits, kMatchSteps);
    pcre2_set_heap_limit(limits, kHeapKilobytes);
    return made;
}

Truth Pattern::matches(std::string_view text) const
{
    const int result =
        pcre2_match(static_cast<const pcre2_code*>(code_), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), 0, 0,
                    static_cast<pcre2_match_data*>(match_), static_cast<pcre2_match_context*>(limits_));
    if (result >= 0)
        return Truth::yes;
    return result == PCRE2_ERROR_NOMATCH ? Truth::no : Truth::unknown;
}

Pattern::~Pattern()
{
    pcre2_match_context_free(static_cast<pcre2_match_context*>(limits_));
    pcre2_match_data_free(static_cast<pcre2_match_data*>(match_));
    pcre2_code_free(static_cast<pcre2_code*>(code_));
}

} // namespace facteur::queue
