// Message headers: which names we know, what they mean to the mail system, and a scanner over a header block.
// Sources: RFC 5322 s3.6, RFC 2045, and cleanup(8) for what Postfix does with each header.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace facteur::mail {

enum class HeaderId : std::uint8_t {
    other,
    apparently_to,
    bcc,
    cc,
    content_description,
    content_disposition,
    content_id,
    content_length,
    content_transfer_encoding,
    content_type,
    date,
    delivered_to,
    disposition_notification_to,
    errors_to,
    from,
    mail_followup_to,
    message_id,
    mime_version,
    received,
    reply_to,
    resent_bcc,
    resent_cc,
    resent_date,
    resent_from,
    resent_message_id,
    resent_reply_to,
    resent_sender,
    resent_to,
    return_path,
    return_receipt_to,
    sender,
    to,
    count, // number of entries, not a header
};

struct HeaderKind {
    HeaderId id = HeaderId::other;
    std::string_view name;            // canonical spelling; empty for HeaderId::other
    bool sender_addresses = false;    // From, Sender, Reply-To, ...: rewritten with the sender tables
    bool recipient_addresses = false; // To, Cc, Bcc, ...: rewritten with the recipient tables
    bool extract = false;             // sendmail -t takes recipients from it
    bool resent = false;              // makes the message a resent one
    bool mime = false;
    bool dropped = false; // in the default of message_drop_headers

    [[nodiscard]] bool has_addresses() const { return sender_addresses || recipient_addresses; }
};

// By name, ASCII case folded; the entry of HeaderId::other when unknown.
const HeaderKind& header_kind(std::string_view name);
const HeaderKind& header_kind(HeaderId id);

// Length of the header name when the line begins a header ("Name:" or "Name :"): printable characters but space and
// colon, then optional white space, then a colon. 0 when it does not.
std::size_t header_name_length(std::string_view line);

// One logical header, folded lines included. All views point into the scanned text.
struct HeaderField {
    std::string_view name;
    std::string_view value; // after the colon and the white space that follows it; inner line ends kept, the last not
    std::string_view raw;   // from the name up to, not including, the last line end
};

// Walks the headers of a block with CRLF (or LF) line ends. Stops at the empty line, at a line that is no header, and
// at the end of the text.
class HeaderScanner {
public:
    explicit HeaderScanner(std::string_view content) : content_(content) {}
    std::optional<HeaderField> next();

    // After next() gave nothing: where the block ended. The empty line itself is part of neither.
    [[nodiscard]] std::size_t offset() const { return at_; } // first byte that belongs to no header
    [[nodiscard]] std::string_view body() const;             // after the empty line, if there is one

private:
    std::string_view content_;
    std::size_t at_ = 0;
};

} // namespace facteur::mail
