// Journal records for tests, as Journal writes them.
#pragma once

#include "queue/record_group.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace facteur::queue {

inline std::string sealed_record(std::uint64_t sequence, RecordType type, std::string_view id, std::string_view payload)
{
    RecordGroup group;
    group.append(type, id, payload);
    std::string bytes;
    for (const iovec& piece : group.seal(0, 1, sequence))
        bytes.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
    return bytes;
}

} // namespace facteur::queue
