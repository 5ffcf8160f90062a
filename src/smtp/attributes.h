// The attributes of XCLIENT and XFORWARD. Sources: XCLIENT_README, XFORWARD_README.
#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace facteur::smtp {

enum class Known { yes, unavailable /* [UNAVAILABLE] */, temporarily_not /* [TEMPUNAVAIL] */ };

struct Attribute {
    std::string name;  // upper case
    std::string value; // decoded; empty unless known
    Known known = Known::yes;
};

// One "NAME=value" word. The error is the reply to send.
std::expected<Attribute, std::string> parse_attribute(std::string_view word);

} // namespace facteur::smtp
