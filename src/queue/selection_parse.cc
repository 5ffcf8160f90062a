#include "base/text.h"
#include "queue/selection_node.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace facteur::queue {

namespace {

using std::unexpected;
using Node = Selection::Node;

enum class ValueKind { word, address, domain, queue, duration, bytes, count };

struct FieldRow {
    std::string_view name;
    Field field;
    ValueKind kind;
};
// The first name of a field is the one we show.
constexpr auto kFields = std::to_array<FieldRow>({
    {"id", Field::id, ValueKind::word},
    {"queue_id", Field::id, ValueKind::word},
    {"queue", Field::queue, ValueKind::queue},
    {"queue_name", Field::queue, ValueKind::queue},
    {"age", Field::age, ValueKind::duration},
    {"size", Field::size, ValueKind::bytes},
    {"recipients", Field::recipients, ValueKind::count},
    {"nrcpt", Field::recipients, ValueKind::count},
    {"sender", Field::sender, ValueKind::address},
    {"from", Field::sender, ValueKind::address},
    {"sender_domain", Field::sender_domain, ValueKind::domain},
    {"recipient", Field::recipient, ValueKind::address},
    {"to", Field::recipient, ValueKind::address},
    {"domain", Field::domain, ValueKind::domain},
    {"client", Field::client, ValueKind::word},
    {"sasl_user", Field::sasl_user, ValueKind::word},
    {"sasl_username", Field::sasl_user, ValueKind::word},
    {"message_id", Field::message_id, ValueKind::word},
    {"reason", Field::reason, ValueKind::word},
    {"transport", Field::transport, ValueKind::word},
});

struct OperatorRow {
    std::string_view sign;
    Comparison comparison;
};
// A longer sign stands before the one it begins with.
constexpr auto kOperators = std::to_array<OperatorRow>({
    {"!=", Comparison::not_equal},
    {"!~", Comparison::unlike},
    {"<=", Comparison::at_most},
    {">=", Comparison::at_least},
    {"==", Comparison::equal},
    {"=", Comparison::equal},
    {"~", Comparison::like},
    {"<", Comparison::less},
    {">", Comparison::more},
});

constexpr std::array<std::string_view, 6> kQueues{"maildrop", "incoming", "active", "deferred", "hold", "corrupt"};

constexpr bool is_number(ValueKind kind)
{
    return kind == ValueKind::duration || kind == ValueKind::bytes || kind == ValueKind::count;
}

constexpr bool is_pattern(Comparison comparison)
{
    return comparison == Comparison::like || comparison == Comparison::unlike;
}

std::string names_of_fields()
{
    std::string names;
    Field last = Field::transport;
    for (const auto& row : kFields) {
        if (row.field != last)
            names += fmt::format("{}{}", names.empty() ? "" : ", ", row.name);
        last = row.field;
    }
    return names;
}

std::int64_t unit(ValueKind kind, char letter)
{
    if (kind == ValueKind::duration)
        switch (letter) {
        case 's':
            return 1;
        case 'm':
            return 60;
        case 'h':
            return 3600;
        case 'd':
            return 86400;
        case 'w':
            return 7 * 86400;
        default:
            return 0;
        }
    if (kind == ValueKind::bytes)
        switch (letter) {
        case 'b':
            return 1;
        case 'k':
            return 1 << 10;
        case 'm':
            return 1 << 20;
        case 'g':
            return 1 << 30;
        default:
            return 0;
        }
    return 0;
}

// "90", "2d", "1d12h", "10k". A number without a unit counts seconds, bytes or recipients.
std::optional<std::int64_t> parse_number(ValueKind kind, std::string_view text)
{
    constexpr std::int64_t kLargest = std::int64_t{1} << 50;
    constexpr std::int64_t kLargestPart = 1'000'000'000'000;
    std::int64_t total = 0;
    std::size_t at = 0;
    while (at < text.size()) {
        std::int64_t part = 0;
        const std::size_t start = at;
        for (; at < text.size() && text::is_digit(text[at]) && part < kLargestPart; ++at)
            part = part * 10 + (text[at] - '0');
        if (at == start)
            return std::nullopt;
        const bool bare = at == text.size();
        const std::int64_t factor = bare ? 1 : unit(kind, text::lower(text[at++]));
        if (factor == 0 || (bare && start != 0) || part > kLargest / factor || total > kLargest - part * factor)
            return std::nullopt;
        total += part * factor;
    }
    return text.empty() ? std::nullopt : std::optional(total);
}

std::string_view number_form(ValueKind kind)
{
    switch (kind) {
    case ValueKind::duration:
        return "expected a time such as 90s, 30m, 12h, 2d or 1w";
    case ValueKind::bytes:
        return "expected a size such as 900, 10k, 5m or 1g";
    default:
        return "expected a number";
    }
}

class Parser {
public:
    explicit Parser(std::string_view text) : text_(text) {}

    std::expected<Node, SelectionError> whole()
    {
        auto node = any(0);
        skip_space();
        if (node && at_ < text_.size())
            return fail(at_,
                        text_[at_] == ')' ? "this parenthesis was not opened" : "expected \"and\", \"or\" or the end");
        return node;
    }

private:
    using Result = std::expected<Node, SelectionError>;

    static unexpected<SelectionError> fail(std::size_t offset, std::string problem)
    {
        return unexpected(SelectionError{offset, std::move(problem)});
    }

    void skip_space()
    {
        while (at_ < text_.size() && text::is_space(text_[at_]))
            ++at_;
    }

    // The next run of letters, digits, '_' and '-', not taken.
    [[nodiscard]] std::string_view word() const
    {
        std::size_t end = at_;
        while (end < text_.size() && (text::is_alnum(text_[end]) || text_[end] == '_' || text_[end] == '-'))
            ++end;
        return text_.substr(at_, end - at_);
    }

    bool accept_word(std::string_view wanted)
    {
        skip_space();
        if (!text::iequals(word(), wanted))
            return false;
        at_ += wanted.size();
        return true;
    }

    static Node join(Node::Kind kind, std::vector<Node> children)
    {
        if (children.size() == 1)
            return std::move(children.front());
        Node node;
        node.kind = kind;
        for (auto& child : children) { // cheap ones first, as they came otherwise
            const auto place = std::ranges::upper_bound(node.children, child.cost, {}, &Node::cost);
            node.children.insert(place, std::move(child));
        }
        node.cost = node.children.back().cost;
        return node;
    }

    Result any(int depth)
    {
        std::vector<Node> parts;
        do {
            auto part = all(depth);
            if (!part)
                return part;
            parts.push_back(std::move(*part));
        } while (accept_word("or"));
        return join(Node::Kind::any, std::move(parts));
    }

    Result all(int depth)
    {
        std::vector<Node> parts;
        do {
            auto part = one(depth);
            if (!part)
                return part;
            parts.push_back(std::move(*part));
        } while (accept_word("and"));
        return join(Node::Kind::all, std::move(parts));
    }

    Result one(int depth)
    {
        skip_space();
        const std::size_t start = at_;
        if (depth > Selection::kDeepest)
            return fail(start, "too many parentheses within each other");
        const bool negated = (at_ < text_.size() && text_[at_] == '!' && ++at_ > 0) || accept_word("not");
        if (negated) {
            auto inner = one(depth + 1);
            if (!inner)
                return inner;
            Node node;
            node.kind = Node::Kind::negation;
            node.cost = inner->cost;
            node.children.push_back(std::move(*inner));
            return node;
        }
        if (at_ < text_.size() && text_[at_] == '(') {
            ++at_;
            auto inner = any(depth + 1);
            if (!inner)
                return inner;
            skip_space();
            if (at_ >= text_.size() || text_[at_] != ')')
                return fail(at_ < text_.size() ? at_ : start, at_ < text_.size()
                                                                  ? "expected \"and\", \"or\" or a closing parenthesis"
                                                                  : "this parenthesis is not closed");
            ++at_;
            return inner;
        }
        return term();
    }

    Result term()
    {
        const std::size_t start = at_;
        std::string name = text::to_lower(word());
        std::ranges::replace(name, '-', '_');
        const auto row = std::ranges::find(kFields, std::string_view(name), &FieldRow::name);
        if (name.empty())
            return fail(start, fmt::format("expected a field: {}", names_of_fields()));
        if (row == kFields.end())
            return fail(start, fmt::format("no such field; there are {}", names_of_fields()));
        if (++terms_ > Selection::kMostTerms)
            return fail(start, "too many terms");
        at_ += name.size();
        skip_space();
        const auto sign = std::ranges::find_if(
            kOperators, [this](const OperatorRow& each) { return text_.substr(at_).starts_with(each.sign); });
        const bool ordered = sign != kOperators.end() && sign->comparison >= Comparison::less;
        if (sign == kOperators.end() || (is_number(row->kind) ? is_pattern(sign->comparison) : ordered))
            return fail(at_, fmt::format("expected an operator of {}: {}", row->name,
                                         is_number(row->kind) ? "= != < <= > >=" : "= != ~ !~"));
        at_ += sign->sign.size();
        Node node;
        node.field = row->field;
        node.comparison = sign->comparison;
        node.offset = start;
        node.cost = 2 * static_cast<int>(row->field) + (is_pattern(sign->comparison) ? 1 : 0);
        return with_value(std::move(node), row->kind);
    }

    Result with_value(Node node, ValueKind kind)
    {
        skip_space();
        const std::size_t start = at_;
        const bool quoted = at_ < text_.size() && (text_[at_] == '"' || text_[at_] == '\'');
        auto value = quoted ? quoted_value() : bare_value();
        if (!value)
            return unexpected(value.error());
        node.value = std::move(*value);
        if (is_number(kind)) {
            const auto number = parse_number(kind, node.value);
            if (!number)
                return fail(start, std::string(number_form(kind)));
            node.number = *number;
        } else if (is_pattern(node.comparison)) {
            auto pattern = Pattern::compile(node.value);
            if (!pattern)
                return fail(start + (quoted ? 1 : 0) + std::min(pattern.error().offset, node.value.size()),
                            fmt::format("in the regular expression: {}", pattern.error().text));
            node.pattern = std::move(*pattern);
        } else if (kind == ValueKind::queue &&
                   std::ranges::find(kQueues, text::to_lower(node.value)) == kQueues.end()) {
            return fail(start, fmt::format("no such queue; there are {}", fmt::join(kQueues, ", ")));
        } else if (kind == ValueKind::address) {
            if (node.value.starts_with('<') && node.value.ends_with('>'))
                node.value = node.value.substr(1, node.value.size() - 2);
            if (text::iequals(node.value, "MAILER-DAEMON"))
                node.value.clear();
        }
        return node;
    }

    std::expected<std::string, SelectionError> quoted_value()
    {
        const std::size_t start = at_;
        const char quote = text_[at_++];
        std::string value;
        for (; at_ < text_.size() && text_[at_] != quote; ++at_) {
            if (text_[at_] == '\\' && at_ + 1 < text_.size()) {
                if (text_[at_ + 1] != quote)
                    value += text_[at_];
                ++at_;
            }
            if (static_cast<unsigned char>(text_[at_]) < ' ')
                return fail(at_, "control character");
            value += text_[at_];
        }
        if (at_ == text_.size())
            return fail(start, "this quote is not closed");
        ++at_;
        return value;
    }

    std::expected<std::string, SelectionError> bare_value()
    {
        const std::size_t start = at_;
        for (int open = 0; at_ < text_.size() && !text::is_space(text_[at_]); ++at_) {
            const char c = text_[at_];
            if (static_cast<unsigned char>(c) < ' ')
                return fail(at_, "control character");
            if (c == '\\' && at_ + 1 < text_.size() && !text::is_space(text_[at_ + 1]))
                ++at_;
            else if (c == '(')
                ++open;
            else if (c == ')' && open-- == 0)
                break;
        }
        if (at_ == start)
            return fail(start, "expected a value");
        return std::string(text_.substr(start, at_ - start));
    }

    std::string_view text_;
    std::size_t at_ = 0;
    int terms_ = 0;
};

} // namespace

std::string_view field_name(Field field)
{
    return std::ranges::find(kFields, field, &FieldRow::field)->name;
}

std::optional<std::int64_t> parse_duration(std::string_view text)
{
    return parse_number(ValueKind::duration, text);
}

std::expected<Selection, SelectionError> Selection::parse(std::string_view text)
{
    if (text.size() > kLongest)
        return unexpected(SelectionError{kLongest, fmt::format("longer than {} bytes", kLongest)});
    auto root = Parser(text).whole();
    if (!root)
        return unexpected(root.error());
    return Selection(std::string(text), std::make_shared<const Node>(std::move(*root)));
}

std::string SelectionError::show(std::string_view text) const
{
    constexpr std::size_t kBefore = 60; // of a long text, what stands around the place
    constexpr std::size_t kShown = 78;
    const std::size_t place = std::min(offset, text.size());
    const std::size_t from = place > kBefore ? place - kBefore : 0;
    const std::string line = text::printable(text.substr(from, kShown));
    return fmt::format("{}\n  {}\n  {}^\n", problem, line, std::string(place - from, ' '));
}

} // namespace facteur::queue
