#include "queue/record_group.h"

#include "queue/checksum.h"

#include <climits>
#include <cstring>

namespace facteur::queue {

namespace {

std::size_t padded(std::size_t size)
{
    return (size + 7) / 8 * 8;
}

iovec bytes_of(std::string_view bytes)
{
    return {const_cast<char*>(bytes.data()), bytes.size()};
}

} // namespace

void RecordGroup::append(RecordType type, std::string_view id, std::string_view payload)
{
    std::string head = encode_record(type, id, payload);
    const std::size_t size = head.size();
    entries_.push_back({std::move(head), {}, size});
}

void RecordGroup::append_pieces(RecordType type, std::string_view id, Payload payload)
{
    std::size_t size = 0;
    for (const auto& piece : payload)
        size += piece.size();
    std::string head = encode_record_head(type, id, size);
    size = padded(head.size() + size);
    entries_.push_back({std::move(head), std::move(payload), size});
}

RecordGroup::Part RecordGroup::fit(std::size_t first, std::size_t room) const
{
    Part part{first, 0};
    for (std::size_t pieces = 0; part.end < entries_.size(); ++part.end) {
        const Entry& entry = entries_[part.end];
        pieces += entry.payload.size() + 2;
        if (part.size + entry.size > room || (pieces > IOV_MAX && part.end > first))
            break;
        part.size += entry.size;
    }
    return part;
}

std::vector<iovec> RecordGroup::seal(std::size_t first, std::size_t end, std::uint64_t sequence)
{
    static constexpr char kZeros[8] = {};
    std::vector<iovec> pieces;
    for (std::size_t i = first; i < end; ++i) {
        Entry& entry = entries_[i];
        RecordHeader header;
        std::memcpy(&header, entry.head.data(), sizeof header);
        header.sequence = sequence;
        header.header_checksum = header_checksum(header);
        // A copied payload stands in the head, and so may what pads it.
        const std::size_t known = header.id_size + header.payload_size;
        std::uint32_t sum = record_checksum(header, std::string_view(entry.head).substr(sizeof header, known));
        std::size_t size = entry.head.size();
        for (const auto& piece : entry.payload) {
            sum = crc32c(piece, sum);
            size += piece.size();
        }
        header.checksum = sum;
        std::memcpy(entry.head.data(), &header, sizeof header);
        pieces.push_back(bytes_of(entry.head));
        for (const auto& piece : entry.payload)
            if (!piece.empty())
                pieces.push_back(bytes_of(piece));
        if (size < entry.size)
            pieces.push_back(bytes_of({kZeros, entry.size - size}));
    }
    return pieces;
}

} // namespace facteur::queue
