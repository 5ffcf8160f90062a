// Delivery status notifications: what the SMTP extension carries and how outcomes are numbered.
// Sources: RFC 3461, RFC 3463, RFC 6533.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace facteur::mail {

struct SyntaxError {
    std::size_t offset = 0;
    std::string_view expected; // a string literal: what should have stood there
};

// class.subject.detail, RFC 3463.
struct EnhancedStatus {
    std::uint16_t status_class = 0; // 2, 4 or 5
    std::uint16_t subject = 0;
    std::uint16_t detail = 0;

    [[nodiscard]] std::string text() const; // "5.1.1"
    [[nodiscard]] bool is_success() const { return status_class == 2; }
    [[nodiscard]] bool is_temporary() const { return status_class == 4; }
    [[nodiscard]] bool is_permanent() const { return status_class == 5; }
    auto operator<=>(const EnhancedStatus&) const = default;
};
[[nodiscard]] std::expected<EnhancedStatus, SyntaxError> parse_enhanced_status(std::string_view text);

// "5.1.1 no such user" -> the status and "no such user". Nothing when the text does not begin with a status.
struct StatusAndText {
    EnhancedStatus status;
    std::string_view text;
};
[[nodiscard]] std::optional<StatusAndText> split_enhanced_status(std::string_view text);

// xtext, RFC 3461 s4: everything but printable ASCII, and '+' and '=', as "+HH". Not for 8-bit characters in utf-8
// addresses: those are unitext.
std::string xtext_encode(std::string_view text);
[[nodiscard]] std::optional<std::string> xtext_decode(std::string_view xtext);

// utf-8-addr-xtext, RFC 6533 s3: "\x{E9}" for what must not stand plainly. Unicode characters stay with
// Unitext::utf8 (the peer has SMTPUTF8) and are spelt out with Unitext::ascii.
enum class Unitext : bool { ascii, utf8 };
std::string unitext_encode(std::string_view text, Unitext form);
[[nodiscard]] std::optional<std::string> unitext_decode(std::string_view unitext);

// ORCPT=addr-type;address, as SMTP carries it. The queue holds "rfc822;address" with the address decoded.
struct OriginalRecipient {
    std::string type;    // "rfc822" or "utf-8" as a rule; kept as given
    std::string address; // decoded
    [[nodiscard]] std::string text() const { return type + ";" + address; }
};
[[nodiscard]] std::optional<OriginalRecipient> parse_orcpt(std::string_view parameter);
std::string format_orcpt(const OriginalRecipient& recipient, Unitext form = Unitext::utf8);
// The queue's form back into its parts; a text without ';' is an rfc822 address.
OriginalRecipient split_original_recipient(std::string_view stored);

// NOTIFY. No flag at all: the sender asked for nothing in particular.
struct Notify {
    bool never = false;
    bool success = false;
    bool failure = false;
    bool delay = false;

    [[nodiscard]] bool empty() const { return !never && !success && !failure && !delay; }
    [[nodiscard]] std::uint8_t bits() const; // as queue files hold it: never 1, success 2, failure 4, delay 8
    static Notify from_bits(std::uint8_t bits);
    bool operator==(const Notify&) const = default;
};
[[nodiscard]] std::optional<Notify> parse_notify(std::string_view value); // "NEVER", "SUCCESS,FAILURE,DELAY"
std::string format_notify(Notify notify);                                 // empty when empty

enum class Return : std::uint8_t { unset, full, headers };
[[nodiscard]] std::optional<Return> parse_return(std::string_view value); // "FULL", "HDRS"
std::string_view format_return(Return value);                             // empty when unset

} // namespace facteur::mail
