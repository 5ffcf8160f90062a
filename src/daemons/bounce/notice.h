// The text of a notice: a multipart/report message about what became of some recipients. Source: RFC 3464 (delivery
// status), RFC 6533 (internationalized), RFC 3834 (Auto-Submitted). Pure: no files, no clock.
#pragma once

#include "daemons/bounce/templates.h"
#include "ipc/messages.pb.h"

#include <chrono>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::bounce {

// Who sends notices.
struct Reporter {
    std::string hostname;  // $myhostname
    std::string mail_name; // $mail_name
    std::string origin;    // $myorigin
    bool utf8 = true;      // $smtputf8_enable
    bool threaded = false; // $enable_threaded_bounces
    std::chrono::seconds queue_lifetime{432000};
};

enum class Audience { sender, postmaster };
enum class Attach { full, headers };

struct Notice {
    NoticeKind kind = NoticeKind::failure;
    Audience audience = Audience::sender;
    std::string to;            // internal form
    std::string_view queue_id; // of the message that it is about
    const queue::Envelope& envelope;
    std::vector<const ipc::LogRecipient*> recipients;
    std::string_view original; // content, or its headers when only those were asked for; CRLF lines
    bool original_available = true;
    Attach attach = Attach::full;
    const Template& words;
    std::string_view text; // words.text expanded
    std::time_t now = 0;
};

// From "Date:" on, CRLF lines.
std::string render_notice(const Notice& notice, const Reporter& reporter);

// "Received: by HOST (NAME)" with the id of the notice.
std::string render_received(const Reporter& reporter, std::string_view notice_id, std::time_t now);

// The header block of a message, up to the empty line or the first line that is no header.
std::string_view header_block(std::string_view content);

// Words put on lines of at most 79 columns, continued with four spaces. A word is never cut.
std::string wrap(std::string_view text);

} // namespace facteur::bounce
