// Mail addresses in their two forms. Source: RFC 5321 s4.1.2, RFC 5322 s3.4, Postfix's ADDRESS_REWRITING_README.
//
// Internal (unquoted) form is what the envelope, the queue and the tables hold: joe smith@example.com. External
// (quoted) form is what headers and SMTP carry: "joe smith"@example.com. The domain starts after the last '@'.
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

std::string quote_local_part(std::string_view local); // dot-atom as is, else quoted-string
std::string to_external(std::string_view internal);   // quote_822_local
std::string to_internal(std::string_view external);   // unquote_822_local

// "user+ext" -> {"user", "+ext"}; owner-list and list-request are not split unless owner_request_special is off.
struct Extension {
    std::string_view user;
    std::string_view extension; // with its delimiter, empty when none
};
Extension split_extension(std::string_view local, std::string_view delimiters, bool owner_request_special = true);

// All addresses of a From/To/Cc/Bcc/... header value, in internal form (display names, comments, source routes and
// group syntax taken off; empty addresses and groups give none). At most `limit`.
std::vector<std::string> header_addresses(std::string_view value, std::size_t limit = 10000);

// The header value with every address put through `rewrite` (internal form in and out). Text is returned byte for byte
// when no address changes; else the whole value is formatted anew, as Postfix does: one space between elements,
// missing commas added, folded after commas.
std::string rewrite_header_addresses(std::string_view value,
                                     const std::function<std::string(std::string_view)>& rewrite);

// How header addresses change. `complete` sees and gives external form, where a quoted "a@b" still differs from a@b
// (rewrite_external of rewrite.h); `map` then sees and gives internal form, as tables hold it. Either may be empty.
struct AddressRewriter {
    std::function<std::string(std::string_view external)> complete;
    std::function<std::string(std::string_view internal)> map;
};

struct HeaderLayout {
    std::size_t first_column = 0;    // of the value, "To: " makes 4: decides where lines fold
    std::size_t token_limit = 10240; // header_address_token_limit: what follows is not looked at, and lost on change
};

// The same with all choices; nothing when no address changes. Lines fold with "\r\n\t".
std::optional<std::string> rewrite_header(std::string_view value, const AddressRewriter& rewriter,
                                          HeaderLayout layout = {});

} // namespace facteur::mail
