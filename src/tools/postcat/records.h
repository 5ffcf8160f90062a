// A queue file shown as the records that Postfix's postcat prints, whatever our own layout is. Source: postcat(1).
#pragma once

#include "queue/queue_file.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace facteur::postcat {

struct Show {
    bool envelope = true;
    bool header = true;
    bool body = true;
    bool decimal_types = false;
    bool offsets = false;
    bool type_names = false; // -v: of text records too
};

struct Message {
    std::string name; // "deferred/5/5A04BA72140", as shown between the stars
    std::string queue_id;
    queue::QueueFileHeader header;
    queue::Envelope envelope;
    std::string states; // a byte a recipient
    std::string_view content;
};

// Nothing when the bytes are no complete queue file. The content refers to `bytes`.
std::optional<Message> parse_message(std::string_view bytes, std::string name);

std::string print_message(const Message& message, const Show& show);

} // namespace facteur::postcat
