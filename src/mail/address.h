// Mail addresses in their two forms. Source: RFC 5321 s4.1.2, RFC 5322 s3.4, Postfix's ADDRESS_REWRITING_README.
//
// Internal (unquoted) form is what the envelope, the queue and the tables hold: joe smith@example.com. External (quoted)
// form is what headers and SMTP carry: "joe smith"@example.com. The domain starts after the last '@'.
#pragma once

#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::mail {

struct AddressParts {
    std::string_view local;
    std::string_view domain; // empty when there is no '@'
    bool has_domain = false;
};
AddressParts split_address(std::string_view internal);

std::string quote_local_part(std::string_view local);       // dot-atom as is, else quoted-string
std::string to_external(std::string_view internal);         // quote_822_local
std::string to_internal(std::string_view external);         // unquote_822_local

// "user+ext" -> {"user", "+ext"}; owner-list and list-request are not split unless owner_request_special is off.
struct Extension {
    std::string_view user;
    std::string_view extension; // with its delimiter, empty when none
};
Extension split_extension(std::string_view local, std::string_view delimiters, bool owner_request_special = true);

// All addresses of a From/To/Cc/Bcc/... header value (display names, comments and group syntax taken off; empty groups
// give none). At most `limit`.
std::vector<std::string> header_addresses(std::string_view value, std::size_t limit = 10000);

// The header value with every address put through `rewrite` (internal form in and out); display names, comments and
// folding kept. Text is returned unchanged when no address changes.
std::string rewrite_header_addresses(std::string_view value, const std::function<std::string(std::string_view)>& rewrite);

} // namespace facteur::mail
