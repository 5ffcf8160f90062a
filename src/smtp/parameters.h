// The ESMTP parameters of MAIL and RCPT. Sources: RFC 1870 (SIZE), RFC 6152 (BODY), RFC 3461 (RET ENVID NOTIFY ORCPT),
// RFC 4954 (AUTH), RFC 6531 (SMTPUTF8).
#pragma once

#include "smtp/command.h"

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>

namespace facteur::smtp {

// What the server offers in this session; a parameter of an extension that is not offered is refused.
struct Offered {
    bool dsn = true;
    bool smtputf8 = true;
};

struct MailParameters {
    std::uint64_t size = 0;    // 0: not told
    std::string encoding;      // "7bit", "8bit" or ""
    std::uint32_t dsn_ret = 0; // 1 full, 2 headers
    std::string dsn_envid;     // decoded
    bool smtputf8 = false;
    std::optional<std::string> auth; // AUTH=; "" for <>
};

struct RcptParameters {
    std::uint32_t dsn_notify = 0; // 1 never, 2 success, 4 failure, 8 delay
    std::string dsn_orcpt;        // "rfc822;user@host", decoded
};

// The error is the reply to send.
std::expected<MailParameters, std::string> parse_mail_parameters(std::span<const Word> words, const Offered& offered);
std::expected<RcptParameters, std::string> parse_rcpt_parameters(std::span<const Word> words, const Offered& offered);

// True when SMTPUTF8 is among the words: it changes how the address before it is read.
bool asks_smtputf8(std::span<const Word> words);

// NOTIFY's value; 0 when it is not one.
std::uint32_t parse_notify(std::string_view value);
// "type;xtext" -> "type;decoded".
std::optional<std::string> parse_orcpt(std::string_view value);

} // namespace facteur::smtp
