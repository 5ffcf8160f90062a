// The expression language of parameter values: $name, $(name), ${name}, ${name?text}, ${name:text},
// ${name?{text}:{text}}, ${{a} == {b} ? {text} : {text}}, ${domain_to_ascii{text}}, $$.
//
// Source: postconf(5), "main.cf parameter syntax". The text of a parameter is expanded again when it is inserted, so
// depth, work and length are bounded: a reference loop or a bomb is an error, never a hang.
#pragma once

#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace facteur::config {

// The unexpanded text of a parameter, which must outlive the expansion. The ? and : forms ask whether a parameter is
// set and not empty: of a set one the text as written counts, of a default its value.
struct ParameterText {
    std::string_view text;
    bool is_default = false;
};
using ParameterLookup = std::function<std::optional<ParameterText>(std::string_view name)>;

// Error: one line in Postfix's words ("truncated macro reference: ...", "unreasonable macro call nesting: ...").
std::expected<std::string, std::string> expand_text(std::string_view text, const ParameterLookup& lookup);

// "3.6", "3.6.1" or "2" as a number that orders as levels do; nothing when malformed.
std::optional<long> compatibility_level_number(std::string_view text);

} // namespace facteur::config
