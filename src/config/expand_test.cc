#include "config/expand.h"

#include <gtest/gtest.h>

#include <map>

namespace facteur::config {
namespace {

const std::map<std::string, ParameterText, std::less<>> kNames = {
    {"a", {"A"}},         {"empty", {""}},          {"to_empty", {"$empty"}}, {"default_empty", {"$empty", true}},
    {"loop", {"$loop"}},  {"ping", {"$pong"}},      {"pong", {"x$ping"}},     {"domain", {"b\u00fccher.example"}},
    {"nested", {"<$a>"}}, {"bomb", {"$bomb$bomb"}},
};

std::optional<ParameterText> find(std::string_view name)
{
    const auto found = kNames.find(name);
    return found == kNames.end() ? std::nullopt : std::optional(found->second);
}

struct Case {
    std::string_view text;
    std::string_view value; // or the error
};

// The expected texts were taken from Postfix 3.7 (postconf -x).
TEST(Expand, Values)
{
    const Case cases[] = {
        {"", ""},
        {"plain", "plain"},
        {"$a$(a)${a}", "AAA"},
        {"x$$a", "x$a"},
        {"$unknown.", "."},
        {"$nested", "<A>"},
        {"${a?yes}${a:no}", "yes"},
        {"${b?yes}${b:no}", "no"},
        {"${empty?yes}", ""},
        {"${to_empty?yes}", "yes"},
        {"${default_empty?yes}", ""},
        {"${a?{yes}:{no}}", "yes"},
        {"${b?{yes}:{no}}", "no"},
        {"${b?{yes}:no}", "no"},
        {"${b?a:b}", ""},
        {"${b:a:b}", "a:b"},
        {"${ a ? {yes} : {no} }", "yes"},
        {"${ a }", "A"},
        {"${b?a}b}", "b}"},
        {"${{a} == {b}?{c}:{d}}", "d"},
        {"${{$a} == {A}?{c}:{d}}", "c"},
        {"${{a} == {b}?c:d}", ""},
        {"${{a}=={a}}", "true"},
        {"${{a}!={a}}z", "z"},
        {"${{3} < {x}?{c}:{d}}", "c"},
        {"${{9} < {10}?{c}:{d}}", "c"},
        {"${{10} >= {10}?{c}:{d}}", "c"},
        {"${{b} > {a}?{c}:{d}}", "c"},
        {"${{2}<={1}:z}", "z"},
        {"${{3.6} <level {3.10}?{yes}:{no}}", "yes"},
        {"${{3.6.1} >level {3.6}?{yes}:{no}}", "yes"},
        {"${{2} ==level {2.0}?{yes}:{no}}", "yes"},
        {"${domain_to_ascii{$domain}}", "xn--bcher-kva.example"},
        {"${domain_to_ascii{plain.example}}", "plain.example"},
        {"${domain_to_utf8{xn--bcher-kva.example}}", "b\u00fccher.example"},
    };
    for (const auto& [text, value] : cases) {
        const auto result = expand_text(text, find);
        ASSERT_TRUE(result) << text << ": " << result.error();
        EXPECT_EQ(*result, value) << text;
    }
}

TEST(Expand, Errors)
{
    const Case cases[] = {
        {"${foo", "truncated macro reference: \"${foo\""},
        {"$(y", "truncated macro reference: \"$(y\""},
        {"a${a?{b}", "truncated macro reference: \"a${a?{b}\""},
        {"$", "empty macro name: \"$\""},
        {"$-a", "empty macro name: \"$-a\""},
        {"${}", "empty macro name: \"${}\""},
        {"${a b}", "attribute name syntax error at: \"...a>>> b\""},
        {"${a-b}", "attribute name syntax error at: \"...a>>>-b\""},
        {"${a?{b}:{c}d}", "unexpected input at: \"...a?{b}:{c}>>>d\""},
        {"$loop", "unreasonable macro call nesting: \"loop\""},
        {"$ping", "unreasonable macro call nesting: \"pong\""},
        {"$bomb", "unreasonable macro call nesting: \"bomb\""},
        {"${{3a} <level {3}?{y}:{n}}", "malformed compatibility level syntax: \"3a\""},
        {"${nosuch{a}}", "unknown function name: \"nosuch\""},
    };
    for (const auto& [text, error] : cases) {
        const auto result = expand_text(text, find);
        ASSERT_FALSE(result) << text;
        EXPECT_EQ(result.error(), error) << text;
    }
    EXPECT_FALSE(expand_text("${{a} = {b}}", find));
    std::string deep = "x";
    for (int i = 0; i < 200; ++i)
        deep = "${a?" + deep + "}";
    EXPECT_FALSE(expand_text(deep, find));
}

TEST(Expand, CompatibilityLevels)
{
    EXPECT_EQ(compatibility_level_number("2"), compatibility_level_number("2.0.0"));
    EXPECT_LT(*compatibility_level_number("3.6"), *compatibility_level_number("3.10"));
    for (const auto* bad : {"", "x", "3.", "3.x", ".3", "-1", "1.2.3.4"})
        EXPECT_FALSE(compatibility_level_number(bad)) << bad;
    EXPECT_TRUE(compatibility_level_number("9999"));
}

} // namespace
} // namespace facteur::config
