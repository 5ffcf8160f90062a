// The journal's bytes: segment headers, records, checkpoint marks, and reading them back.

#include "queue/journal_format.h"

#include "base/directory.h"
#include "base/read_exactly.h"
#include "base/text.h"
#include "queue/checksum.h"
#include "queue/journal.h"
#include "queue/outcomes.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>

namespace facteur::queue {

namespace {

constexpr char kSegmentMagic[8] = {'F', 'A', 'C', 'T', 'J', 'S', 'G', '1'};
constexpr char kMarkMagic[8] = {'F', 'A', 'C', 'T', 'J', 'C', 'P', '1'};
constexpr std::size_t kMaxId = 64;

struct SegmentHeader {
    char magic[8];
    std::uint64_t sequence;
    std::uint32_t checksum;
    std::uint32_t reserved;
};

struct MarkLayout {
    char magic[8];
    std::uint64_t live_sequence;
    std::uint64_t live_offset;
    std::int64_t monotonic_ns;
    std::uint32_t clean;
    std::uint32_t checksum;
};

std::vector<std::string> names_in(const std::string& directory)
{
    std::vector<std::string> names;
    for (auto& entry : read_directory(directory).value_or(std::vector<DirectoryEntry>()))
        if (!entry.name.starts_with('.'))
            names.push_back(std::move(entry.name));
    std::ranges::sort(names);
    return names;
}

} // namespace

std::string encode_record_head(RecordType type, std::string_view id, std::size_t payload_size)
{
    RecordHeader header{};
    header.magic = kRecordMagic;
    header.type = static_cast<std::uint32_t>(type);
    header.id_size = static_cast<std::uint32_t>(id.size());
    header.payload_size = static_cast<std::uint32_t>(payload_size);
    std::string head(reinterpret_cast<const char*>(&header), sizeof header);
    head += id;
    return head;
}

std::string encode_record(RecordType type, std::string_view id, std::string_view payload)
{
    std::string bytes = encode_record_head(type, id, payload.size());
    bytes += payload;
    bytes.resize((bytes.size() + 7) / 8 * 8);
    return bytes;
}

std::uint32_t record_checksum(RecordHeader header, std::string_view body)
{
    header.checksum = 0;
    return crc32c(body, crc32c({reinterpret_cast<const char*>(&header), sizeof header}));
}

std::uint32_t header_checksum(RecordHeader header)
{
    header.checksum = 0;
    header.header_checksum = 0;
    return crc32c({reinterpret_cast<const char*>(&header), sizeof header});
}

std::string encode_segment_header(std::uint64_t sequence)
{
    SegmentHeader header{};
    std::memcpy(header.magic, kSegmentMagic, sizeof kSegmentMagic);
    header.sequence = sequence;
    header.checksum = crc32c({reinterpret_cast<const char*>(&header), 16});
    std::string bytes(kSegmentHeader, '\0');
    std::memcpy(bytes.data(), &header, sizeof header);
    return bytes;
}

std::optional<std::uint64_t> parse_segment_header(std::string_view bytes)
{
    SegmentHeader header;
    if (bytes.size() < sizeof header)
        return std::nullopt;
    std::memcpy(&header, bytes.data(), sizeof header);
    if (std::memcmp(header.magic, kSegmentMagic, sizeof kSegmentMagic) != 0 ||
        header.checksum != crc32c(bytes.substr(0, 16)))
        return std::nullopt;
    return header.sequence;
}

std::vector<Record> parse_segment(std::string_view bytes, std::uint64_t sequence)
{
    std::vector<Record> records;
    std::size_t at = kSegmentHeader;
    while (at + sizeof(RecordHeader) <= bytes.size()) {
        RecordHeader header;
        std::memcpy(&header, bytes.data() + at, sizeof header);
        if (header.magic != kRecordMagic || header.sequence != sequence || header.id_size > kMaxId ||
            header.payload_size > kMaxRecord)
            break;
        const std::size_t body = header.id_size + header.payload_size;
        if (at + sizeof header + body > bytes.size())
            break;
        const std::string_view content = bytes.substr(at + sizeof header, body);
        // A damaged body hides what follows it only when its length is in doubt too. What it contains is never
        // searched: somebody's mail may look like a record.
        if (record_checksum(header, content) == header.checksum)
            records.push_back({static_cast<RecordType>(header.type), std::string(content.substr(0, header.id_size)),
                               content.substr(header.id_size)});
        else if (header_checksum(header) != header.header_checksum)
            break;
        at += (sizeof header + body + 7) / 8 * 8;
    }
    return records;
}

std::optional<std::string> read_record(int fd, const RecordPlace& place, std::string_view id)
{
    RecordHeader header;
    const std::size_t around = sizeof header + id.size();
    if (id.size() > kMaxId || place.size < around || place.size > sizeof header + kMaxId + kMaxRecord + 8)
        return std::nullopt;
    // The payload into a string of its own.
    char head[sizeof header + kMaxId];
    std::string payload;
    bool whole = false;
    payload.resize_and_overwrite(place.size - around, [&](char* bytes, std::size_t /* the capacity */) {
        const iovec parts[] = {{head, around}, {bytes, place.size - around}};
        ssize_t got = 0;
        do
            got = ::preadv(fd, parts, 2, static_cast<off_t>(place.offset));
        while (got < 0 && errno == EINTR);
        whole = got == static_cast<ssize_t>(place.size);
        return whole ? place.size - around : 0;
    });
    if (!whole)
        return std::nullopt;
    std::memcpy(&header, head, sizeof header);
    if (header.magic != kRecordMagic || header.id_size != id.size() || header.payload_size > payload.size())
        return std::nullopt;
    payload.resize(header.payload_size);
    const std::string_view read_id(head + sizeof header, id.size());
    if (read_id != id || crc32c(payload, record_checksum(header, read_id)) != header.checksum)
        return std::nullopt;
    return payload;
}

std::optional<CheckpointMark> read_checkpoint(const std::string& slot)
{
    const auto bytes = read_file(slot + "/checkpoint", 4096);
    MarkLayout layout;
    if (!bytes || bytes->size() < sizeof layout)
        return std::nullopt;
    std::memcpy(&layout, bytes->data(), sizeof layout);
    const std::string_view summed(bytes->data(), offsetof(MarkLayout, checksum));
    if (std::memcmp(layout.magic, kMarkMagic, sizeof kMarkMagic) != 0 || layout.checksum != crc32c(summed))
        return std::nullopt;
    return CheckpointMark{layout.live_sequence, layout.live_offset, layout.monotonic_ns, layout.clean != 0};
}

std::expected<void, SystemError> put_checkpoint(int fd, const CheckpointMark& mark)
{
    MarkLayout layout{};
    std::memcpy(layout.magic, kMarkMagic, sizeof kMarkMagic);
    layout.live_sequence = mark.live_sequence;
    layout.live_offset = mark.live_offset;
    layout.monotonic_ns = mark.monotonic_ns;
    layout.clean = mark.clean;
    layout.checksum = crc32c({reinterpret_cast<const char*>(&layout), offsetof(MarkLayout, checksum)});
    if (::pwrite(fd, &layout, sizeof layout, 0) != sizeof layout)
        return std::unexpected(SystemError::last("write", "journal checkpoint"));
    return {};
}

std::expected<void, SystemError> write_checkpoint(int fd, const CheckpointMark& mark)
{
    if (auto put = put_checkpoint(fd, mark); !put)
        return put;
    if (::fdatasync(fd) != 0)
        return std::unexpected(SystemError::last("fdatasync", "journal checkpoint"));
    return {};
}

std::vector<SegmentFile> list_segments(const std::string& slot)
{
    std::vector<SegmentFile> segments;
    for (const auto& name : names_in(slot)) {
        if (!name.ends_with(".seg"))
            continue;
        const std::string path = slot + "/" + name;
        const auto fd = open_file(path, O_RDONLY);
        char head[64];
        if (!fd || ::pread(fd->get(), head, sizeof head, 0) != sizeof head)
            continue;
        if (const auto sequence = parse_segment_header({head, sizeof head}))
            segments.push_back({path, *sequence});
    }
    std::ranges::sort(segments, {}, &SegmentFile::sequence);
    return segments;
}

std::vector<std::string> list_slots(std::string_view name)
{
    std::vector<std::string> slots;
    for (const auto& found : names_in(std::string(kJournalDirectory)))
        if (!found.starts_with(kOutcomeLogs) &&
            (name.empty() || (found.starts_with(name) && found.substr(name.size()).starts_with('.'))))
            slots.push_back(std::string(kJournalDirectory) + "/" + found);
    return slots;
}

std::int64_t monotonic_ns()
{
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

std::int64_t oldest_live_record(std::string_view name)
{
    std::int64_t oldest = std::numeric_limits<std::int64_t>::max();
    for (const auto& slot : list_slots(name)) {
        const auto mark = read_checkpoint(slot);
        if (!mark || !mark->clean)
            oldest = std::min(oldest, mark ? mark->monotonic_ns : 0);
    }
    return oldest;
}

} // namespace facteur::queue
