// One message as a conversation needs it: envelope, recipients still to be served, where the content is.
#pragma once

#include "queue/queue_file.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::smtp_client {

// CRLF lines in a file.
struct Content {
    int file = -1;
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
    std::uint32_t flags = 0; // queue::content_flag
};

// Borrows: whoever made it outlives the conversation.
struct Message {
    std::string_view queue_id;
    const queue::Envelope& envelope;
    std::vector<const queue::Recipient*> recipients;
    Content content;
    bool verify_only = false; // sendmail -bv and address verification: nothing is delivered

    // RFC 6531: it cannot go to a server without SMTPUTF8.
    [[nodiscard]] bool requires_smtputf8() const;
};

} // namespace facteur::smtp_client
