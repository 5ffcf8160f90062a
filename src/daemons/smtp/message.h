// One message as a conversation needs it: envelope, recipients still to be served, where the content is.
#pragma once

#include "queue/content.h"
#include "queue/queue_file.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::smtp_client {

// Borrows: whoever made it outlives the conversation.
struct Message {
    std::string_view queue_id;
    const queue::Envelope& envelope;
    std::vector<const queue::Recipient*> recipients;
    queue::Content content;          // CRLF lines
    std::uint32_t content_flags = 0; // queue::content_flag
    bool verify_only = false;        // sendmail -bv and address verification: nothing is delivered

    // RFC 6531: it cannot go to a server without SMTPUTF8.
    [[nodiscard]] bool requires_smtputf8() const;
};

} // namespace facteur::smtp_client
