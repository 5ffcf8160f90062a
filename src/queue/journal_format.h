// The bytes of the journal's segments and records. Format: docs/formats/journal.md.
#pragma once

#include "queue/journal.h"

namespace facteur::queue {

inline constexpr std::uint32_t kRecordMagic = 0x4C4E524A; // "JRNL"

struct RecordHeader {
    std::uint32_t magic;
    std::uint32_t type;
    std::uint32_t id_size;
    std::uint32_t payload_size;
    std::uint64_t sequence; // of the segment: tells a fresh record from one left by an earlier use of the segment
    std::uint32_t checksum; // of the header with this field zero, the id and the payload
    // Of the header with this field and `checksum` zero: tells how long a record is whose body is damaged. Zero: not
    // known, as in records of earlier versions.
    std::uint32_t header_checksum;
};
static_assert(sizeof(RecordHeader) == 32);

// A record without its sequence and checksum; padded to 8 bytes.
std::string encode_record(RecordType type, std::string_view id, std::string_view payload);
// Its beginning: header and id.
std::string encode_record_head(RecordType type, std::string_view id, std::size_t payload_size);
std::uint32_t record_checksum(RecordHeader header, std::string_view body);
std::uint32_t header_checksum(RecordHeader header);

std::string encode_segment_header(std::uint64_t sequence); // kSegmentHeader bytes
std::optional<std::uint64_t> parse_segment_header(std::string_view bytes);

} // namespace facteur::queue
