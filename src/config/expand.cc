#include "config/expand.h"

#include "base/text.h"
#include "config/idna.h"

#include <fmt/format.h>

namespace facteur::config {

namespace {

constexpr int kDepthLimit = 100;
constexpr std::size_t kLengthLimit = 1 << 20;
constexpr long kWorkLimit = 100'000;

constexpr std::string_view kSpace = " \t\r\n\v\f";

bool is_name_character(char c)
{
    return text::is_alnum(c) || c == '_';
}

// The body of a ${...}: where reading has come to.
struct Body {
    std::string_view whole;
    std::size_t at = 0;

    [[nodiscard]] std::string_view rest() const { return whole.substr(at); }
    [[nodiscard]] bool at_end() const { return at >= whole.size(); }
    [[nodiscard]] char peek() const { return at_end() ? '\0' : whole[at]; }
    void skip_space() { at = std::min(whole.find_first_not_of(kSpace, at), whole.size()); }
};

// Length of the part in balanced brackets that text begins with, both included; nothing when it is not closed.
std::optional<std::size_t> balanced(std::string_view text, char open, char close)
{
    int depth = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == open)
            ++depth;
        else if (text[i] == close && --depth == 0)
            return i + 1;
    }
    return std::nullopt;
}

class Expansion {
public:
    explicit Expansion(const ParameterLookup& lookup) : lookup_(lookup) {}

    bool run(std::string_view text, std::string& out);
    std::string error;

private:
    bool fail(std::string text)
    {
        if (error.empty())
            error = std::move(text);
        return false;
    }
    bool fail_at(const Body& body, std::string_view what)
    {
        return fail(
            fmt::format("{} at: \"...{}>>>{}\"", what, body.whole.substr(0, body.at), body.rest().substr(0, 20)));
    }
    bool reference(std::string_view text, std::size_t& at, std::string& out);
    bool braced(std::string_view text, std::string& out);
    bool braced_name(Body body, std::string& out);
    bool braced_relation(Body body, std::string& out);
    bool function(std::string_view name, Body body, std::string& out);
    bool plain(std::string_view name, std::string& out);
    bool is_set(std::string_view name, bool& result);
    bool payload(Body& body, std::string_view& out);
    bool choice(Body body, bool condition, std::string& out);
    bool evaluate(std::string_view operation, std::string_view left, std::string_view right, bool& result);
    bool append(std::string_view text, std::string& out);

    const ParameterLookup& lookup_;
    int depth_ = 0;
    long work_ = 0;
};

bool Expansion::append(std::string_view text, std::string& out)
{
    if (out.size() + text.size() > kLengthLimit)
        return fail("expansion result is too long");
    out.append(text);
    return true;
}

bool Expansion::run(std::string_view text, std::string& out)
{
    if (depth_ >= kDepthLimit)
        return fail(fmt::format("unreasonable macro call nesting: \"{}\"", text.substr(0, 100)));
    if (++work_ > kWorkLimit)
        return fail("expansion takes too many steps");
    ++depth_;
    bool good = true;
    for (std::size_t at = 0; good && at < text.size();) {
        const auto dollar = std::min(text.find('$', at), text.size());
        good = append(text.substr(at, dollar - at), out);
        at = dollar;
        if (good && at < text.size())
            good = reference(text, at, out);
    }
    --depth_;
    return good;
}

// text[at] is a '$'.
bool Expansion::reference(std::string_view text, std::size_t& at, std::string& out)
{
    const char next = at + 1 < text.size() ? text[at + 1] : '\0';
    if (next == '$') {
        at += 2;
        return append("$", out);
    }
    const auto rest = text.substr(at + 1);
    if (next == '{' || next == '(') {
        const auto length = balanced(rest, next, next == '{' ? '}' : ')');
        if (!length)
            return fail(fmt::format("truncated macro reference: \"{}\"", text));
        if (*length == 2)
            return fail(fmt::format("empty macro name: \"{}\"", text));
        at += 1 + *length;
        return braced(rest.substr(1, *length - 2), out);
    }
    std::size_t length = 0;
    while (length < rest.size() && is_name_character(rest[length]))
        ++length;
    if (length == 0)
        return fail(fmt::format("empty macro name: \"{}\"", text));
    at += 1 + length;
    return plain(rest.substr(0, length), out);
}

bool Expansion::braced(std::string_view text, std::string& out)
{
    Body body{text};
    body.skip_space();
    return body.peek() == '{' ? braced_relation(body, out) : braced_name(body, out);
}

bool Expansion::plain(std::string_view name, std::string& out)
{
    const auto found = lookup_(name);
    if (!found)
        return true;
    if (depth_ >= kDepthLimit)
        return fail(fmt::format("unreasonable macro call nesting: \"{}\"", name));
    return run(found->text, out);
}

bool Expansion::is_set(std::string_view name, bool& result)
{
    const auto found = lookup_(name);
    result = found && !found->text.empty();
    if (!result || !found->is_default)
        return true;
    std::string value;
    const bool good = run(found->text, value);
    result = !value.empty();
    return good;
}

bool Expansion::braced_name(Body body, std::string& out)
{
    const auto start = body.at;
    while (is_name_character(body.peek()))
        ++body.at;
    const auto name = body.whole.substr(start, body.at - start);
    if (body.peek() == '{' && !name.empty())
        return function(name, body, out);
    const Body after_name = body;
    body.skip_space();
    if (body.at_end() && !name.empty())
        return plain(name, out);
    if (name.empty() || (body.peek() != '?' && body.peek() != ':'))
        return fail_at(after_name, "attribute name syntax error");
    bool condition = false;
    return is_set(name, condition) && choice(body, condition, out);
}

// Takes "{text}", leaving its outer space out.
bool Expansion::payload(Body& body, std::string_view& out)
{
    if (body.peek() != '{')
        return fail_at(body, "\"{\" expected");
    const auto length = balanced(body.rest(), '{', '}');
    if (!length)
        return fail_at(body, "unbalanced {}");
    out = text::trim(body.rest().substr(1, *length - 2));
    body.at += *length;
    body.skip_space();
    return true;
}

// body stands at '?' or ':'; what follows either runs to the end or is "{text}", after '?' then perhaps ":{text}".
bool Expansion::choice(Body body, bool condition, std::string& out)
{
    const bool question = body.peek() == '?';
    ++body.at;
    if (Body ahead = body; ahead.skip_space(), ahead.peek() != '{')
        return condition == question ? run(body.rest(), out) : true;
    body.skip_space();
    std::string_view first;
    if (!payload(body, first))
        return false;
    std::string_view second;
    if (question && body.peek() == ':') {
        ++body.at;
        if (Body ahead = body; ahead.skip_space(), ahead.peek() != '{') {
            second = body.rest();
            body.at = body.whole.size();
        } else {
            body.skip_space();
            if (!payload(body, second))
                return false;
        }
    }
    if (!body.at_end())
        return fail_at(body, "unexpected input");
    return run(condition == question ? first : second, out);
}

bool Expansion::braced_relation(Body body, std::string& out)
{
    std::string_view left;
    std::string_view right;
    if (!payload(body, left))
        return false;
    const auto start = body.at;
    while (body.peek() != '\0' && std::string_view("=!<>").find(body.peek()) != std::string_view::npos)
        ++body.at;
    if (body.at > start && body.rest().starts_with("level"))
        body.at += 5;
    const auto operation = body.whole.substr(start, body.at - start);
    const auto bare = operation.substr(0, operation.size() - (operation.ends_with("level") ? 5 : 0));
    if (bare != "==" && bare != "!=" && bare != "<" && bare != "<=" && bare != ">=" && bare != ">") {
        body.at = start;
        return fail_at(body, "\"==\" or \"!=\"\" or \"<\"\" or \"<=\"\" or \">=\"\" or \">\" expected");
    }
    body.skip_space();
    if (!payload(body, right))
        return false;
    bool condition = false;
    if (!evaluate(operation, left, right, condition))
        return false;
    if (body.at_end())
        return append(condition ? "true" : "", out);
    if (body.peek() != '?' && body.peek() != ':')
        return fail_at(body, "\"?\" or \":\" expected");
    return choice(body, condition, out);
}

template <typename T>
bool holds(std::string_view operation, const T& left, const T& right)
{
    if (operation == "==")
        return left == right;
    if (operation == "!=")
        return left != right;
    if (operation == "<")
        return left < right;
    if (operation == "<=")
        return left <= right;
    return operation == ">=" ? left >= right : left > right;
}

bool Expansion::evaluate(std::string_view operation, std::string_view left, std::string_view right, bool& result)
{
    std::string a;
    std::string b;
    if (!run(left, a) || !run(right, b))
        return false;
    if (operation.ends_with("level")) {
        const auto x = compatibility_level_number(a);
        const auto y = compatibility_level_number(b);
        if (!x || !y)
            return fail(fmt::format("malformed compatibility level syntax: \"{}\"", x ? b : a));
        result = holds(operation.substr(0, operation.size() - 5), *x, *y);
        return true;
    }
    const auto number = [](const std::string& s) {
        return !s.empty() && s.find_first_not_of("0123456789") == s.npos ? text::to_long(s) : std::nullopt;
    };
    const auto x = number(a);
    const auto y = number(b);
    result = x && y ? holds(operation, *x, *y) : holds(operation, a, b);
    return true;
}

bool Expansion::function(std::string_view name, Body body, std::string& out)
{
    std::string_view argument;
    if (!payload(body, argument))
        return false;
    if (!body.at_end())
        return fail_at(body, "unexpected input");
    std::string text;
    if (!run(argument, text))
        return false;
    if (name != "domain_to_ascii" && name != "domain_to_utf8")
        return fail(fmt::format("unknown function name: \"{}\"", name));
    const auto converted = name == "domain_to_ascii" ? domain_to_ascii(text) : domain_to_utf8(text);
    if (!converted)
        return fail(fmt::format("{}: bad domain name: \"{}\"", name, text));
    return append(*converted, out);
}

} // namespace

std::expected<std::string, std::string> expand_text(std::string_view text, const ParameterLookup& lookup)
{
    Expansion expansion(lookup);
    std::string out;
    if (!expansion.run(text, out))
        return std::unexpected(std::move(expansion.error));
    return out;
}

std::optional<long> compatibility_level_number(std::string_view text)
{
    constexpr long kPartLimit = 1 << 11;
    long number = 0;
    auto rest = text;
    for (int part = 0; part < 3; ++part) {
        const auto digits = rest.substr(0, std::min(rest.find('.'), rest.size()));
        long value = 0;
        if (part == 0 || !rest.empty()) {
            const auto parsed = text::to_long(digits);
            if (!parsed || *parsed < 0 || *parsed >= (part == 0 ? kPartLimit * 8 : kPartLimit))
                return std::nullopt;
            value = *parsed;
            rest.remove_prefix(digits.size());
            if (!rest.empty()) {
                rest.remove_prefix(1);
                if (rest.empty() || part == 2)
                    return std::nullopt;
            }
        }
        number = number * kPartLimit + value;
    }
    return number;
}

} // namespace facteur::config
