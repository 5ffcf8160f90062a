// A reader of LMDB files that trusts nothing it reads.
//
// The LMDB library crashes on a damaged file and needs a lock to read one that is being written. This reader checks
// every page and offset, so that damage is an error, and needs no lock: LMDB never overwrites the pages of its latest
// two commits, so an answer stands unless the commit counter moved by two meanwhile; then the search starts again.
// The format (LMDB 0.9, 64-bit, native byte order) is described in docs/formats/lmdb-table.md.
#pragma once

#include "table/file_stamp.h"

#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace facteur::table {

class LmdbFile {
public:
    // The error is the cause alone: "No such file or directory".
    static std::expected<LmdbFile, std::string> open(const std::string& path);
    LmdbFile(LmdbFile&& other) noexcept;
    LmdbFile& operator=(LmdbFile&& other) noexcept;
    ~LmdbFile();

    // Exactly the bytes of key. The error says how the file is damaged.
    [[nodiscard]] std::expected<std::optional<std::string>, std::string> find(std::string_view key);
    // All pairs in key order.
    using Visit = std::function<void(std::string_view key, std::string_view value)>;
    [[nodiscard]] std::expected<void, std::string> for_each(const Visit& visit);

    // The open file is no longer the one that its name leads to.
    [[nodiscard]] bool unlinked() const;
    [[nodiscard]] timespec modified() const;

private:
    // One commit.
    struct Snapshot {
        std::uint64_t commit = 0;
        std::uint64_t root = 0;
        std::uint64_t pages = 0; // page numbers from here on do not exist
        std::size_t page_size = 0;
        int depth = 0;
        bool empty = false;
    };
    struct Node {
        std::string_view key;
        std::string_view value;  // of a leaf
        std::uint64_t child = 0; // of a branch
    };
    class Page;

    LmdbFile() = default;
    bool map_again();
    void unmap();
    std::optional<Snapshot> read_meta(std::size_t offset, std::size_t page_size) const;
    std::expected<Snapshot, std::string> latest() const;
    enum class Found { sound, damage };
    bool disturbed(const Snapshot& snapshot, Found found) const;
    std::optional<Page> page(const Snapshot& snapshot, std::uint64_t number) const;
    std::optional<Node> leaf_node(const Snapshot& snapshot, const Page& page, std::size_t index) const;
    std::expected<std::optional<std::string>, std::string> search(const Snapshot& snapshot, std::string_view key) const;
    bool walk(const Snapshot& snapshot, std::uint64_t page_number, int level, std::uint64_t& pages_left,
              const Visit& visit) const;

    int fd_ = -1;
    const char* base_ = nullptr;
    std::size_t size_ = 0;
};

} // namespace facteur::table
