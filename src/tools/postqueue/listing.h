// The two listings: the traditional one and a JSON object a line. Programs read both, so every byte counts.
// Source: postqueue(1).
#pragma once

#include "ipc/messages.pb.h"

#include <cstdint>
#include <string>

namespace facteur::postqueue {

enum class IdWidth { short_ids, long_ids };

// The traditional listing, entry by entry.
class TraditionalListing {
public:
    explicit TraditionalListing(IdWidth width) : width_(width) {}
    [[nodiscard]] std::string entry(const ipc::ListEntry& entry); // the first one brings the heading
    [[nodiscard]] bool empty() const { return requests_ == 0; }
    [[nodiscard]] std::string end() const; // the totals, or "Mail queue is empty"

private:
    IdWidth width_;
    std::uint64_t requests_ = 0;
    std::uint64_t bytes_ = 0;
};

// One line with its newline.
std::string json_line(const ipc::ListEntry& entry);

} // namespace facteur::postqueue
