#include "queue/queue_file.h"

#include "base/read_exactly.h"
#include "queue/checksum.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

namespace facteur::queue {

namespace {

constexpr char kMagic[8] = {'F', 'A', 'C', 'T', 'E', 'U', 'R', '1'};
constexpr std::uint64_t kMaxSize = std::uint64_t{1} << 50;
constexpr std::uint64_t kMaxEnvelope = 256 << 20;

// As it lies on disk, little-endian.
struct Layout {
    char magic[8];
    std::uint64_t content_size;
    std::uint64_t envelope_size;
    std::uint32_t recipient_count;
    std::uint32_t content_flags;
    std::int64_t arrival_seconds;
    char reserved[84];
    std::uint32_t checksum; // of all that stands before it
};
static_assert(sizeof(Layout) == kContentOffset && std::endian::native == std::endian::little);
static_assert(offsetof(Layout, checksum) == kContentOffset - 4);

} // namespace

std::string QueueFileHeader::encode() const
{
    Layout layout{};
    std::memcpy(layout.magic, kMagic, sizeof kMagic);
    layout.content_size = content_size;
    layout.envelope_size = envelope_size;
    layout.recipient_count = recipient_count;
    layout.content_flags = content_flags;
    layout.arrival_seconds = arrival_seconds;
    std::string bytes(sizeof layout, '\0');
    std::memcpy(bytes.data(), &layout, sizeof layout);
    const std::uint32_t sum = crc32c(std::string_view(bytes).substr(0, sizeof layout - 4));
    std::memcpy(bytes.data() + sizeof layout - 4, &sum, 4);
    return bytes;
}

std::optional<QueueFileHeader> QueueFileHeader::parse(std::string_view bytes)
{
    if (bytes.size() < sizeof(Layout))
        return std::nullopt;
    Layout layout;
    std::memcpy(&layout, bytes.data(), sizeof layout);
    if (std::memcmp(layout.magic, kMagic, sizeof kMagic) != 0 ||
        crc32c(bytes.substr(0, sizeof layout - 4)) != layout.checksum)
        return std::nullopt;
    if (layout.content_size > kMaxSize || layout.envelope_size > kMaxEnvelope)
        return std::nullopt;
    QueueFileHeader header;
    header.content_size = layout.content_size;
    header.envelope_size = layout.envelope_size;
    header.recipient_count = layout.recipient_count;
    header.content_flags = layout.content_flags;
    header.arrival_seconds = layout.arrival_seconds;
    return header;
}

std::vector<std::string> queue_file_pieces(std::string content, const Envelope& envelope, std::uint32_t content_flags)
{
    QueueFileHeader header;
    header.content_size = content.size();
    header.envelope_size = envelope.ByteSizeLong();
    header.recipient_count = static_cast<std::uint32_t>(envelope.recipients_size());
    header.content_flags = content_flags;
    header.arrival_seconds = envelope.arrival_seconds();
    std::string rest = envelope.SerializeAsString();
    rest.append(header.recipient_count, static_cast<char>(RecipientState::pending));
    std::vector<std::string> pieces;
    pieces.push_back(header.encode());
    pieces.push_back(std::move(content));
    pieces.push_back(std::move(rest));
    return pieces;
}

std::string encode_queue_file(std::string_view content, const Envelope& envelope, std::uint32_t content_flags)
{
    std::string bytes;
    for (const auto& piece : queue_file_pieces(std::string(content), envelope, content_flags))
        bytes += piece;
    return bytes;
}

std::expected<QueueFile, SystemError> QueueFile::open(const std::string& path, int flags)
{
    return open(path, flags, kContentOffset);
}

std::expected<QueueFile, SystemError> QueueFile::open_and_read(const std::string& path)
{
    constexpr std::size_t kSmall = 16384;
    return open(path, O_RDONLY, kSmall);
}

std::expected<QueueFile, SystemError> QueueFile::open(const std::string& path, int flags, std::size_t read)
{
    // A deferred file's modification time lies ahead, so that each reading would change its access time on the disk.
    // Only the owner may do without.
    auto fd = open_file(path, flags | O_NOFOLLOW | O_NOATIME);
    if (!fd && fd.error().code == EPERM)
        fd = open_file(path, flags | O_NOFOLLOW);
    if (!fd)
        return std::unexpected(fd.error());
    struct stat status{};
    if (::fstat(fd->get(), &status) != 0)
        return std::unexpected(SystemError::last("fstat", path));
    if (!S_ISREG(status.st_mode))
        return std::unexpected(SystemError{"open", path, EINVAL});
    if ((status.st_mode & S_IXUSR) == 0)
        return std::unexpected(SystemError{"open", path, EBUSY});
    if (static_cast<std::uint64_t>(status.st_size) < kContentOffset)
        return std::unexpected(SystemError{"read header of", path, EINVAL});
    auto head = read_exactly(fd->get(), 0, std::min(read, static_cast<std::size_t>(status.st_size)), path);
    if (!head)
        return std::unexpected(head.error());
    const auto header = QueueFileHeader::parse(*head);
    if (!header || static_cast<std::uint64_t>(status.st_size) != header->file_size())
        return std::unexpected(SystemError{"read header of", path, EINVAL});
    QueueFile file;
    file.fd_ = std::move(*fd);
    file.header_ = *header;
    file.path_ = path;
    file.modified_ = status.st_mtime;
    file.mode_ = status.st_mode;
    if (read > kContentOffset)
        file.head_ = std::move(*head);
    return file;
}

std::expected<std::string, SystemError> QueueFile::part(std::uint64_t offset, std::size_t size) const
{
    if (offset + size <= head_.size())
        return head_.substr(offset, size);
    return read_exactly(fd_.get(), offset, size, path_);
}

std::expected<Envelope, SystemError> QueueFile::read_envelope() const
{
    const auto bytes = part(header_.envelope_offset(), header_.envelope_size);
    if (!bytes)
        return std::unexpected(bytes.error());
    Envelope envelope;
    if (!envelope.ParseFromString(*bytes) ||
        static_cast<std::uint32_t>(envelope.recipients_size()) != header_.recipient_count)
        return std::unexpected(SystemError{"read envelope of", path_, EINVAL});
    return envelope;
}

std::expected<std::string, SystemError> QueueFile::read_states() const
{
    return part(header_.status_offset(), header_.recipient_count);
}

std::expected<std::string, SystemError> QueueFile::read_content(std::uint64_t offset, std::size_t size) const
{
    if (offset > header_.content_size || size > header_.content_size - offset)
        return std::unexpected(SystemError{"read content of", path_, EINVAL});
    return part(kContentOffset + offset, size);
}

std::expected<void, SystemError> mark_recipient_done(int fd, std::uint64_t status_offset)
{
    const char done = static_cast<char>(RecipientState::done);
    for (;;) {
        const ssize_t put = ::pwrite(fd, &done, 1, static_cast<off_t>(status_offset));
        if (put == 1)
            return {};
        if (put < 0 && errno == EINTR)
            continue;
        return std::unexpected(SystemError::last("mark recipient done in", "queue file"));
    }
}

std::expected<void, SystemError> add_header_flags(int fd, std::uint32_t flags)
{
    const auto bytes = read_exactly(fd, 0, kContentOffset, "queue file");
    if (!bytes)
        return std::unexpected(bytes.error());
    auto header = QueueFileHeader::parse(*bytes);
    if (!header)
        return std::unexpected(SystemError{"read header of", "queue file", EINVAL});
    header->content_flags |= flags;
    const std::string changed = header->encode();
    if (::pwrite(fd, changed.data(), changed.size(), 0) != static_cast<ssize_t>(changed.size()))
        return std::unexpected(SystemError::last("write header of", "queue file"));
    return {};
}

} // namespace facteur::queue
