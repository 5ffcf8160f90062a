// One message on disk. Layout and states: docs/formats/queue-file.md.
//
//   header (128 bytes) | content, CRLF lines | envelope (queue_file.proto) | one state byte a recipient
//
// Mode 0600 while it is written, 0700 when complete. Recipient states are single bytes, changed in place, so that
// several agents can mark theirs at once. A file whose header does not check is corrupt.
#pragma once

#include "base/error.h"
#include "base/fd.h"
#include "queue/queue_file.pb.h"

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::queue {

inline constexpr std::uint64_t kContentOffset = 128;

// Mode bits of a queue file beyond the owner's: postsuper -e marks a message that must expire at its next attempt.
inline constexpr unsigned kExpiredMode = 0010;

// What is known of the content without reading it.
namespace content_flag {
inline constexpr std::uint32_t dots = 1;       // some line begins with '.': SMTP must double it
inline constexpr std::uint32_t eight_bit = 2;  // some byte is not ASCII
inline constexpr std::uint32_t long_lines = 4; // some line is longer than 998 bytes (smtp_line_length_limit acts)
inline constexpr std::uint32_t eight_bit_headers = 8;
// Not of the content, but kept beside it: the sender was told of the delay.
inline constexpr std::uint32_t delay_warned = 1 << 16;
} // namespace content_flag

enum class RecipientState : char {
    pending = 'R',
    done = 'D', // delivered or bounced: never to be tried again
};
// Of the recipient with this number, in what read_states() gave.
[[nodiscard]] inline bool is_pending(std::string_view states, std::size_t number)
{
    return states[number] == static_cast<char>(RecipientState::pending);
}

struct QueueFileHeader {
    std::uint64_t content_size = 0;
    std::uint64_t envelope_size = 0;
    std::uint32_t recipient_count = 0;
    std::uint32_t content_flags = 0;
    std::int64_t arrival_seconds = 0;

    [[nodiscard]] std::uint64_t envelope_offset() const { return kContentOffset + content_size; }
    [[nodiscard]] std::uint64_t status_offset() const { return envelope_offset() + envelope_size; }
    [[nodiscard]] std::uint64_t file_size() const { return status_offset() + recipient_count; }

    [[nodiscard]] std::string encode() const; // kContentOffset bytes
    // Nothing when the bytes are not such a header (magic, checksum, sizes beyond any file).
    static std::optional<QueueFileHeader> parse(std::string_view bytes);
};

// The whole file for a message that is in memory, which cleanup writes and journals: its header, the content, the rest.
std::vector<std::string> queue_file_pieces(std::string content, const Envelope& envelope, std::uint32_t content_flags);
// The same as one text.
std::string encode_queue_file(std::string_view content, const Envelope& envelope, std::uint32_t content_flags);

// An opened, complete queue file.
class QueueFile {
public:
    // EINVAL as SystemError.code: not a queue file, or shorter than its header says. EBUSY: still being written.
    static std::expected<QueueFile, SystemError> open(const std::string& path, int flags /* O_RDONLY or O_RDWR */);
    // With one read where the file is small; then all that the other functions give is as it was now.
    static std::expected<QueueFile, SystemError> open_and_read(const std::string& path);

    [[nodiscard]] const QueueFileHeader& header() const { return header_; }
    [[nodiscard]] std::expected<Envelope, SystemError> read_envelope() const;
    [[nodiscard]] std::expected<std::string, SystemError> read_states() const; // a byte a recipient
    [[nodiscard]] std::expected<std::string, SystemError> read_content(std::uint64_t offset, std::size_t size) const;
    [[nodiscard]] int fd() const { return fd_.get(); }
    [[nodiscard]] std::int64_t modified_seconds() const { return modified_; }
    [[nodiscard]] unsigned mode() const { return mode_; }

private:
    static std::expected<QueueFile, SystemError> open(const std::string& path, int flags, std::size_t read);
    [[nodiscard]] std::expected<std::string, SystemError> part(std::uint64_t offset, std::size_t size) const;

    UniqueFd fd_;
    QueueFileHeader header_;
    std::string path_;
    std::int64_t modified_ = 0;
    unsigned mode_ = 0;
    std::string head_; // of open_and_read(): the first bytes of the file
};

// Marks one recipient done; the byte is at header.status_offset() + its index.
std::expected<void, SystemError> mark_recipient_done(int fd, std::uint64_t status_offset);

// Sets bits of the header's content_flags in place.
std::expected<void, SystemError> add_header_flags(int fd, std::uint32_t flags);

} // namespace facteur::queue
