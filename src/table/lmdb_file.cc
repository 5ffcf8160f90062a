#include "table/lmdb_file.h"

#include "base/error.h"
#include "base/fd.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

namespace facteur::table {
namespace {

constexpr std::uint32_t kMagic = 0xBEEFC0DE;
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kPageHeader = 16;
constexpr std::size_t kNodeHeader = 8;
constexpr std::size_t kDefaultPage = 4096;
constexpr std::size_t kLargestPage = 65536;
constexpr std::uint64_t kNoPage = ~std::uint64_t{0};
constexpr int kDeepest = 32;
constexpr int kAttempts = 100;

// In the header of a page.
constexpr std::uint16_t kBranchPage = 0x01;
constexpr std::uint16_t kLeafPage = 0x02;
constexpr std::uint16_t kOverflowPage = 0x04;
constexpr std::uint16_t kMetaPage = 0x08;
// In the header of a node: the value stands on pages of its own.
constexpr std::uint16_t kBigValue = 0x01;

// Where things stand in a meta page.
constexpr std::size_t kMetaMagic = 16;
constexpr std::size_t kMetaVersion = 20;
constexpr std::size_t kMetaPageSize = 40;
constexpr std::size_t kMetaMainFlags = 92;
constexpr std::size_t kMetaMainDepth = 94;
constexpr std::size_t kMetaMainRoot = 128;
constexpr std::size_t kMetaLastPage = 136;
constexpr std::size_t kMetaCommit = 144;
constexpr std::size_t kMetaEnd = 152;

constexpr std::string_view kInvalid = "MDB_INVALID: File is not an LMDB file";
constexpr std::string_view kCorrupted = "MDB_CORRUPTED: Located page was wrong type";

template <typename T>
T load(const char* from)
{
    T value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

using MetaCopy = std::array<char, kMetaEnd>;

// A commit may be writing the page meanwhile: two looks must agree.
MetaCopy copy_meta(const char* page)
{
    constexpr int kLooks = 1000;
    MetaCopy copy;
    for (int look = 0; look < kLooks; ++look) {
        std::memcpy(copy.data(), page, copy.size());
        std::atomic_thread_fence(std::memory_order_seq_cst);
        if (std::memcmp(copy.data(), page, copy.size()) == 0)
            break;
    }
    return copy;
}

} // namespace

// A page whose header made sense.
class LmdbFile::Page {
public:
    Page(const char* base, std::size_t size, std::uint16_t flags, std::size_t count)
        : base_(base), size_(size), flags_(flags), count_(count)
    {
    }
    [[nodiscard]] bool is_branch() const { return flags_ & kBranchPage; }
    [[nodiscard]] bool is_leaf() const { return flags_ & kLeafPage; }
    [[nodiscard]] std::size_t count() const { return count_; }

    struct RawNode {
        std::uint32_t low_word; // size of a leaf's value; lower half of a branch's child
        std::uint16_t flags;    // upper part of a branch's child
        std::string_view key;
        std::string_view rest; // of the page, behind the key
    };
    [[nodiscard]] std::optional<RawNode> node(std::size_t index) const
    {
        const std::size_t offset = load<std::uint16_t>(base_ + kPageHeader + 2 * index);
        if (offset < kPageHeader || offset + kNodeHeader > size_)
            return std::nullopt;
        const char* at = base_ + offset;
        const std::size_t key_size = load<std::uint16_t>(at + 6);
        const std::size_t room = size_ - offset - kNodeHeader;
        if (key_size > room)
            return std::nullopt;
        return RawNode{load<std::uint16_t>(at) | static_cast<std::uint32_t>(load<std::uint16_t>(at + 2)) << 16,
                       load<std::uint16_t>(at + 4),
                       {at + kNodeHeader, key_size},
                       {at + kNodeHeader + key_size, room - key_size}};
    }

private:
    const char* base_;
    std::size_t size_;
    std::uint16_t flags_;
    std::size_t count_;
};

LmdbFile::LmdbFile(LmdbFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), base_(std::exchange(other.base_, nullptr)),
      size_(std::exchange(other.size_, 0))
{
}

LmdbFile& LmdbFile::operator=(LmdbFile&& other) noexcept
{
    std::swap(fd_, other.fd_);
    std::swap(base_, other.base_);
    std::swap(size_, other.size_);
    return *this;
}

LmdbFile::~LmdbFile()
{
    unmap();
    UniqueFd closed(fd_);
}

std::expected<LmdbFile, std::string> LmdbFile::open(const std::string& path)
{
    auto fd = open_file(path, O_RDONLY);
    if (!fd)
        return std::unexpected(errno_text(fd.error().code));
    struct stat st{};
    if (::fstat(fd->get(), &st) != 0)
        return std::unexpected(errno_text(errno));
    if (!S_ISREG(st.st_mode))
        return std::unexpected(S_ISDIR(st.st_mode) ? errno_text(EISDIR) : std::string(kInvalid));
    LmdbFile file;
    file.fd_ = fd->release();
    if (!file.map_again())
        return std::unexpected(errno_text(errno));
    if (const auto snapshot = file.latest(); !snapshot)
        return std::unexpected(snapshot.error());
    return file;
}

void LmdbFile::unmap()
{
    if (base_)
        ::munmap(const_cast<char*>(base_), size_);
    base_ = nullptr;
    size_ = 0;
}

// Follows the file's size. A file that shrank is unmapped beyond its end: reading there would be a SIGBUS.
bool LmdbFile::map_again()
{
    struct stat st{};
    if (::fstat(fd_, &st) != 0)
        return false;
    const auto size = static_cast<std::size_t>(st.st_size);
    if (base_ && size == size_)
        return true;
    unmap();
    if (size == 0)
        return true;
    void* mapped = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd_, 0);
    if (mapped == MAP_FAILED)
        return false;
    base_ = static_cast<const char*>(mapped);
    size_ = size;
    return true;
}

std::optional<LmdbFile::Snapshot> LmdbFile::read_meta(std::size_t offset, std::size_t page_size) const
{
    if (size_ < kMetaEnd || offset > size_ - kMetaEnd)
        return std::nullopt;
    const MetaCopy copy = copy_meta(base_ + offset);
    const char* meta = copy.data();
    if (load<std::uint32_t>(meta + kMetaMagic) != kMagic || load<std::uint32_t>(meta + kMetaVersion) != kVersion ||
        !(load<std::uint16_t>(meta + 10) & kMetaPage) || load<std::uint16_t>(meta + kMetaMainFlags) != 0)
        return std::nullopt;
    Snapshot out;
    out.page_size = load<std::uint32_t>(meta + kMetaPageSize);
    out.depth = load<std::uint16_t>(meta + kMetaMainDepth);
    out.root = load<std::uint64_t>(meta + kMetaMainRoot);
    out.empty = out.root == kNoPage;
    out.commit = load<std::uint64_t>(meta + kMetaCommit);
    const auto last = load<std::uint64_t>(meta + kMetaLastPage);
    const bool sane = out.page_size >= 256 && out.page_size <= kLargestPage && std::has_single_bit(out.page_size) &&
                      (page_size == 0 || out.page_size == page_size) && last < kNoPage / kLargestPage &&
                      out.depth <= kDeepest;
    if (!sane)
        return std::nullopt;
    out.pages = std::min<std::uint64_t>(last + 1, size_ / out.page_size);
    return out;
}

std::expected<LmdbFile::Snapshot, std::string> LmdbFile::latest() const
{
    const auto first = read_meta(0, 0);
    const auto page_size = first ? first->page_size : kDefaultPage;
    const auto second = read_meta(page_size, page_size);
    if (!first && !second)
        return std::unexpected(std::string(kInvalid));
    if (first && (!second || first->commit > second->commit))
        return *first;
    return *second;
}

// Whether what was found may be due to others who were writing. Pages that seem damaged may be new ones, behind the end
// of what is mapped.
bool LmdbFile::disturbed(const Snapshot& snapshot, Found found) const
{
    std::atomic_thread_fence(std::memory_order_seq_cst);
    const auto now = latest();
    const std::uint64_t commits = now ? now->commit - snapshot.commit : 0;
    if (found == Found::sound)
        return commits >= 2;
    struct stat st{};
    return commits >= 1 || (::fstat(fd_, &st) == 0 && static_cast<std::size_t>(st.st_size) > size_);
}

std::optional<LmdbFile::Page> LmdbFile::page(const Snapshot& snapshot, std::uint64_t number) const
{
    if (number >= snapshot.pages)
        return std::nullopt;
    const char* base = base_ + number * snapshot.page_size;
    const auto flags = load<std::uint16_t>(base + 10);
    const std::size_t lower = load<std::uint16_t>(base + 12);
    const bool tree = flags == kBranchPage || flags == kLeafPage;
    if (load<std::uint64_t>(base) != number || !tree || lower < kPageHeader || lower > snapshot.page_size)
        return std::nullopt;
    return Page(base, snapshot.page_size, flags, (lower - kPageHeader) / 2);
}

std::optional<LmdbFile::Node> LmdbFile::leaf_node(const Snapshot& snapshot, const Page& page, std::size_t index) const
{
    const auto raw = page.node(index);
    if (!raw || (raw->flags & ~kBigValue) != 0)
        return std::nullopt;
    const std::size_t size = raw->low_word;
    if (!(raw->flags & kBigValue))
        return size <= raw->rest.size() ? std::optional(Node{raw->key, raw->rest.substr(0, size), 0}) : std::nullopt;

    if (raw->rest.size() < sizeof(std::uint64_t))
        return std::nullopt;
    const auto number = load<std::uint64_t>(raw->rest.data());
    if (number >= snapshot.pages)
        return std::nullopt;
    const char* base = base_ + number * snapshot.page_size;
    const std::size_t room = static_cast<std::size_t>(snapshot.pages - number) * snapshot.page_size - kPageHeader;
    if (load<std::uint64_t>(base) != number || load<std::uint16_t>(base + 10) != kOverflowPage || size > room)
        return std::nullopt;
    return Node{raw->key, {base + kPageHeader, size}, 0};
}

std::expected<std::optional<std::string>, std::string> LmdbFile::search(const Snapshot& snapshot,
                                                                        std::string_view key) const
{
    const auto corrupted = std::unexpected(std::string(kCorrupted));
    std::uint64_t number = snapshot.root;
    for (int level = 0; level < kDeepest; ++level) {
        const auto here = page(snapshot, number);
        if (!here || (here->is_branch() && here->count() == 0))
            return corrupted;
        // The last node whose key is not above ours. A branch's first key is not stored: it is below all others.
        std::size_t low = here->is_branch() ? 1 : 0;
        std::size_t high = here->count();
        while (low < high) {
            const std::size_t middle = (low + high) / 2;
            const auto node = here->node(middle);
            if (!node)
                return corrupted;
            if (node->key <= key)
                low = middle + 1;
            else
                high = middle;
        }
        if (here->is_leaf()) {
            const auto node = low == 0 ? std::nullopt : here->node(low - 1);
            if (!node || node->key != key)
                return std::nullopt;
            const auto leaf = leaf_node(snapshot, *here, low - 1);
            return leaf ? std::expected<std::optional<std::string>, std::string>(std::string(leaf->value)) : corrupted;
        }
        const auto node = here->node(low - 1);
        if (!node)
            return corrupted;
        number = node->low_word | static_cast<std::uint64_t>(node->flags) << 32;
    }
    return corrupted;
}

std::expected<std::optional<std::string>, std::string> LmdbFile::find(std::string_view key)
{
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
        if (!map_again())
            return std::unexpected(errno_text(errno));
        const auto before = latest();
        if (!before)
            return std::unexpected(before.error());
        if (before->empty)
            return std::nullopt;
        auto result = search(*before, key);
        if (!disturbed(*before, result ? Found::sound : Found::damage))
            return result;
    }
    return std::unexpected(errno_text(EBUSY));
}

bool LmdbFile::walk(const Snapshot& snapshot, std::uint64_t page_number, int level, std::uint64_t& pages_left,
                    const Visit& visit) const
{
    const auto here = page(snapshot, page_number);
    // No tree has more pages than its file; a damaged one may go in circles.
    if (!here || level >= kDeepest || pages_left-- == 0)
        return false;
    for (std::size_t i = 0; i < here->count(); ++i) {
        if (here->is_leaf()) {
            const auto node = leaf_node(snapshot, *here, i);
            if (!node)
                return false;
            visit(node->key, node->value);
            continue;
        }
        const auto node = here->node(i);
        const auto child = node ? node->low_word | static_cast<std::uint64_t>(node->flags) << 32 : kNoPage;
        if (!walk(snapshot, child, level + 1, pages_left, visit))
            return false;
    }
    return true;
}

std::expected<void, std::string> LmdbFile::for_each(const Visit& visit)
{
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
        if (!map_again())
            return std::unexpected(errno_text(errno));
        const auto before = latest();
        if (!before)
            return std::unexpected(before.error());
        std::vector<std::pair<std::string, std::string>> pairs;
        std::uint64_t pages_left = before->pages;
        std::size_t bytes = 0;
        const bool walked = before->empty || walk(*before, before->root, 0, pages_left,
                                                  [&](std::string_view key, std::string_view value) {
                                                      bytes += key.size() + value.size();
                                                      if (bytes <= size_)
                                                          pairs.emplace_back(key, value);
                                                  });
        // Nodes that share their bytes are damage too, and could fill the memory.
        const bool whole = walked && bytes <= size_;
        if (disturbed(*before, whole ? Found::sound : Found::damage))
            continue;
        if (!whole)
            return std::unexpected(std::string(kCorrupted));
        for (const auto& [key, value] : pairs)
            visit(key, value);
        return {};
    }
    return std::unexpected(errno_text(EBUSY));
}

bool LmdbFile::unlinked() const
{
    struct stat st{};
    return ::fstat(fd_, &st) == 0 && st.st_nlink == 0;
}

timespec LmdbFile::modified() const
{
    struct stat st{};
    return ::fstat(fd_, &st) == 0 ? st.st_mtim : timespec{};
}

} // namespace facteur::table
