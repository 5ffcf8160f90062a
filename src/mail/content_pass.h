// The one pass that every incoming message goes through on its way into the queue: what cleanup(8) does to headers,
// and line ends made CRLF. Source: cleanup(8), postconf(5), RFC 5322 s3.6.
//
// Pure: bytes in, bytes out, facts on the side. Headers are handled one logical line at a time; the body is copied in
// bulk, so that its cost is that of finding line ends. A caller feeds chunks as they arrive, drains output() when it
// likes, calls finish(), and then asks facts().
//
//   ContentPass pass{options, hooks};
//   while (more) { pass.push(chunk); write(pass.output()); pass.output().clear(); }
//   pass.finish();
//   if (pass.facts().received_count > hopcount_limit) ...
#pragma once

#include "mail/header.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::mail {

// Whose addresses a header holds: decides which canonical table and which masquerade class the caller applies.
enum class AddressRole : std::uint8_t { header_sender, header_recipient };

// Which of header_checks, mime_header_checks, nested_header_checks a header belongs to.
enum class HeaderClass : std::uint8_t { primary, mime, nested };

// What a check wants done to the content. Actions on the message (REJECT, DISCARD, HOLD, FILTER, REDIRECT, BCC) are
// the caller's: it notes them in its hook and answers keep.
struct CheckVerdict {
    enum class Action : std::uint8_t { keep, drop, replace, prepend };
    Action action = Action::keep;
    std::string text; // for replace and prepend: without line end
};

struct ContentHooks {
    // External (quoted) form in and out, called before rewrite_address: rewrite_external() of rewrite.h. Only here does
    // a quoted "a@b" still differ from a@b.
    std::function<std::string(std::string_view address)> complete_address;
    // Internal form in and out: canonical tables, masquerading. With both empty, header addresses stay as they are.
    std::function<std::string(std::string_view address, AddressRole role)> rewrite_address;
    // The logical header without its last line end; folded lines are joined by "\n", as header_checks(5) sees them.
    std::function<CheckVerdict(HeaderClass, std::string_view header)> header_check;
    // Each body line without line end, long lines in pieces, the first body_check_size bytes of each MIME part. Slow
    // path: leave empty when unused.
    std::function<CheckVerdict(std::string_view line)> body_check;
};

enum class AddMissing : std::uint8_t { no, yes };
enum class HeaderFromFormat : std::uint8_t { standard, obsolete }; // "Name <addr>" or "addr (Name)"
enum class InputLines : std::uint8_t {
    crlf, // SMTP: any CRs before LF belong to the line end
    lf    // sendmail: a line ends at LF, a CR before it is content
};

struct ContentOptions {
    InputLines input = InputLines::crlf;
    std::string
        prepend; // headers put first ("Received: ...", "X-Pre: yes"), each with CRLF (LF taken too). Not rewritten.

    // Missing headers, added at the end of the primary headers: always_add_missing_headers, or the client is in
    // local_header_rewrite_clients (which includes local submission).
    AddMissing add_missing = AddMissing::no;
    std::string message_id; // "<20261122053100.4abc@host>"; see date.h
    std::string date;       // "Sun, 22 Nov 2026 05:31:00 +0000 (UTC)"
    std::string sender;     // internal form, for From:; MAILER-DAEMON when empty
    std::string full_name;  // of the local submitter, else empty
    HeaderFromFormat from_format = HeaderFromFormat::standard;
    std::string undisclosed_recipients_header; // "To: undisclosed-recipients:;"; empty: none

    std::vector<std::string> drop_headers = {"bcc", "content-length", "resent-bcc",
                                             "return-path"}; // message_drop_headers
    std::size_t header_size_limit = 102400;
    std::size_t header_address_token_limit = 10240;
    std::size_t body_check_size = 51200;
    std::string strip_characters;    // message_strip_characters, C escapes decoded: removed from content
    std::string reject_characters;   // message_reject_characters, decoded: sets facts().rejected_character
    bool replace_stray_cr_lf = true; // cleanup_replace_stray_cr_lf: a CR inside a line becomes a space

    bool extract_recipients = false;   // sendmail -t: fill facts().recipients
    std::size_t extract_limit = 10240; // addresses; more sets facts().extract_overflow

    bool parse_mime = true;   // disable_mime_input_processing off
    bool strict_mime = false; // any of strict_8bitmime, strict_7bit_headers, ...: look into the body's MIME structure
    std::size_t mime_nesting_limit = 100;
    std::size_t mime_boundary_length_limit = 2048;
};

struct ContentFacts {
    unsigned received_count = 0;   // Received: headers in the input (those in `prepend` not counted)
    std::string message_id = "<>"; // for the log line "message-id=": found or added; "<>" when there is none
    std::string resent_message_id; // for the log line "resent-message-id=", before the other; empty: no such line
    bool resent = false;           // any Resent- header
    bool has_from = false;
    bool has_mime_version = false;
    bool header_8bit = false; // non-ASCII in any header, as stored: SMTPUTF8 autodetection
    bool body_8bit = false;
    bool leading_dot = false; // some stored line begins with '.'
    bool rejected_character = false;
    bool extract_overflow = false;
    bool stray_cr = false;          // a CR inside a line was seen
    std::size_t longest_line = 0;   // stored, without line end
    std::uint64_t stored_bytes = 0; // all output, line ends included
    std::uint64_t header_bytes = 0; // output before the empty line
    std::uint64_t lines = 0;
    std::vector<std::string> recipients;        // of To, Cc, Bcc, internal form
    std::vector<std::string> resent_recipients; // of Resent-To, Resent-Cc, Resent-Bcc: used instead when resent
    std::uint32_t mime_errors = 0;              // MimeError bits of mime.h, when strict_mime
};

class ContentPass {
public:
    ContentPass(ContentOptions options, ContentHooks hooks);
    ~ContentPass();
    ContentPass(ContentPass&&) noexcept;
    ContentPass& operator=(ContentPass&&) noexcept;

    void push(std::string_view bytes);
    // The input is over: ends a last line without LF, ends the headers if no body came, adds what is missing.
    void finish();

    std::string& output(); // what was made since the caller last cleared it
    [[nodiscard]] const ContentFacts& facts() const;

private:
    class State;
    std::unique_ptr<State> state_;
};

} // namespace facteur::mail
