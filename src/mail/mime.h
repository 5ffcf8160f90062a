// The MIME structure of a message, followed line by line. Sources: RFC 2045, RFC 2046, Postfix's MIME parameters in
// postconf(5).
//
// A walker is fed every line in order and says what each one is. It keeps only the stack of boundaries and the
// Content- headers of the part at hand.
#pragma once

#include "mail/header.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::mail {

// Bits of MimeWalker::errors(), and what Postfix calls them.
enum class MimeError : std::uint8_t {
    nesting = 1,          // more than mime_nesting_limit multiparts inside each other
    header_8bit = 2,      // strict_7bit_headers
    body_8bit = 4,        // strict_8bitmime_body: 8-bit text in a part that does not announce it
    encoding_domain = 8,  // strict_mime_encoding_domain: message/* or multipart/* with quoted-printable, base64, ...
    header_truncated = 16 // a header longer than header_size_limit
};
// "MIME nesting exceeds safety limit", ...
std::string_view mime_error_text(MimeError error);
// All are 5.6.0 in replies and reports.
inline constexpr std::string_view kMimeErrorStatus = "5.6.0";

// What the text of a part may hold once its encoding is known (quoted-printable and base64 text is 7bit).
enum class MimeDomain : std::uint8_t { seven_bit, eight_bit, binary };

// The value of Content-Transfer-Encoding; nothing for an unknown encoding.
struct TransferEncoding {
    MimeDomain domain = MimeDomain::seven_bit;
    bool identity = true; // 7bit, 8bit, binary: text stands as it is
};
std::optional<TransferEncoding> parse_transfer_encoding(std::string_view value);

struct ContentType {
    std::string type = "text"; // lower case
    std::string subtype = "plain";
    std::string boundary;

    [[nodiscard]] bool is_multipart() const { return type == "multipart"; }
    [[nodiscard]] bool is_message() const { return type == "message"; }
    [[nodiscard]] bool holds_message() const
    {
        return type == "message" && (subtype == "rfc822" || subtype == "global");
    }
};
ContentType parse_content_type(std::string_view value);

class MimeWalker {
public:
    struct Limits {
        std::size_t nesting = 100;          // mime_nesting_limit
        std::size_t boundary_length = 2048; // mime_boundary_length_limit
        std::size_t header_size = 102400;   // header_size_limit
    };
    enum class Block : std::uint8_t { primary, mime, nested, body }; // which headers, or no headers at all
    enum class Kind : std::uint8_t { header, header_more, headers_end, boundary, body };

    struct Line {
        Kind kind = Kind::body;
        Block block = Block::body;  // of a header line: whose headers
        bool ended_headers = false; // the headers before this line are over: head() is about them
    };
    // A header block that has ended.
    struct Head {
        ContentType type;
        TransferEncoding encoding;
    };

    MimeWalker() : MimeWalker(Limits{}) {}
    explicit MimeWalker(Limits limits) : limits_(limits) {}

    // One line without its end.
    Line next(std::string_view line);
    // No more lines. True when that ended a header block.
    bool finish();

    [[nodiscard]] const Head& head() const { return head_; }
    // The body at hand is the content of a part, not the text around the parts of a multipart.
    [[nodiscard]] bool in_leaf() const { return in_leaf_; }
    [[nodiscard]] std::uint32_t errors() const { return errors_; }

private:
    struct Level {
        std::string boundary;
        bool digest = false;
    };
    void note(MimeError error) { errors_ |= static_cast<std::uint32_t>(error); }
    void start_headers(Block block, bool digest);
    void take_header_line(std::string_view line, bool first);
    void close_header();
    void end_headers();
    bool take_boundary(std::string_view line);

    Limits limits_;
    Block block_ = Block::primary;
    std::vector<Level> levels_;
    Head part_; // of the headers at hand
    Head head_;
    std::string header_; // a Content- header being gathered
    bool in_header_ = false;
    bool keep_header_ = false;
    bool in_leaf_ = true;
    std::uint32_t errors_ = 0;
};

// Content for a peer without 8BITMIME: the bodies of parts that announce 8bit or binary text become quoted-printable,
// and their Content-Transfer-Encoding says so. 8-bit text that nothing announces is left alone.
class EightBitDowngrade {
public:
    explicit EightBitDowngrade(MimeWalker::Limits limits = {}) : walker_(limits) {}

    // Stored content (CRLF) in chunks of any size; what is ready is appended to `out`.
    void push(std::string_view content, std::string& out);
    void finish(std::string& out);

private:
    void take_line(std::string_view line, std::string& out);
    void release_encoding_header(std::string& out);
    void announce_encoding(std::string& out);

    MimeWalker walker_;
    std::string partial_;
    std::string held_; // a Content-Transfer-Encoding header, kept or dropped once it is complete
};
std::string downgrade_8bit(std::string_view content);

// One line of body text as quoted-printable, soft line breaks included, without the final line end.
void append_quoted_printable(std::string& out, std::string_view line);

} // namespace facteur::mail
