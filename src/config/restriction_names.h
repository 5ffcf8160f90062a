// The words that smtpd's restriction lists are made of, for those who read a list without judging a request by it.
// Source: SMTPD_ACCESS_README, postconf(5).
#pragma once

#include <string_view>
#include <vector>

namespace facteur::config {

struct RestrictionName {
    std::string_view name;
    bool takes_argument = false;
    bool final = false;           // permit, reject, defer: nothing behind it is reached
    bool stops_strangers = false; // mail of an unknown client to a foreign domain does not get past it
    bool needs_recipient = false; // says nothing before RCPT TO
};
// Case does not matter. Nothing when the name is no restriction; a class of smtpd_restriction_classes is none.
const RestrictionName* find_restriction(std::string_view name);
std::string_view nearest_restriction(std::string_view name);

// A list taken apart: names with their arguments. A bare "type:table" is a step with an argument and no name.
struct RestrictionStep {
    std::string_view name;
    std::string_view argument;
    const RestrictionName* known = nullptr;
};
std::vector<RestrictionStep> restriction_steps(std::string_view list);

} // namespace facteur::config
