// The paths of MAIL FROM and RCPT TO: from the word after the colon to an address in internal (unquoted) form.
// Source: RFC 5321 s4.1.2; lenient as Postfix is, because clients are.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace facteur::smtp {

// lenient: brackets may be missing, a display name or comment may stand beside them. strict: strict_rfc821_envelopes.
enum class PathSyntax { lenient, strict };

// The address, empty for "<>". A source route ("@a,@b:") is taken off (RFC 5321 appendix F.2). Nothing when the word
// holds no single address.
std::optional<std::string> parse_path(std::string_view word, PathSyntax syntax);

// True when the address is of the plainest kind, local@host.domain of unreserved characters: rewriting never changes
// such an address and resolving never finds a fault in its form, so nobody needs to be asked.
bool plain_address(std::string_view internal);

} // namespace facteur::smtp
