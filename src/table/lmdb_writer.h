// Writing NAME.lmdb, in the two ways of postmap: a whole new file put in the old one's place, or one transaction in the
// file that is there.
//
// The file is locked as Postfix does (an exclusive fcntl lock on the file itself; LMDB's own lock file is not used).
#pragma once

#include "base/fd.h"

#include <sys/types.h>

#include <cstddef>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct MDB_env;
struct MDB_txn;

namespace facteur::table {

struct LmdbCreation {
    std::size_t map_size; // where to start; it grows as needed
    mode_t mode;          // of a file that is created
};

enum class Overwrite { no, yes };

// One transaction. What is not committed is forgotten.
class LmdbWriter {
public:
    // In place. Creates the file when it does not exist. The error is a sentence: "open database x.lmdb: ...".
    static std::expected<LmdbWriter, std::string> update(const std::string& path, const LmdbCreation& creation);
    // A new file beside the old one, which takes its place and its mode at commit. Where the folder may not be written
    // but the old file may, its content is replaced in one transaction.
    static std::expected<LmdbWriter, std::string> replace(const std::string& path, const LmdbCreation& creation);
    LmdbWriter(LmdbWriter&&) noexcept;
    LmdbWriter& operator=(LmdbWriter&&) noexcept;
    ~LmdbWriter();

    // False: the key exists and was left alone. Errors are LMDB's words for the cause.
    [[nodiscard]] std::expected<bool, std::string> put(std::string_view key, std::string_view value,
                                                       Overwrite overwrite);
    // False: there was no such key.
    [[nodiscard]] std::expected<bool, std::string> erase(std::string_view key);
    [[nodiscard]] std::expected<void, std::string> commit();

private:
    struct Change {
        enum class Kind { put, erase, clear } kind;
        std::string key;
        std::string value;
    };
    LmdbWriter() = default;
    static std::expected<LmdbWriter, std::string> replace_beside(const std::string& path, const LmdbCreation& creation);
    int open(const std::string& file, std::size_t map_size, unsigned flags);
    int begin();
    int apply(const Change& change, Overwrite overwrite);
    int change(Change change, Overwrite overwrite);
    int grow();

    UniqueFd lock_; // holds the lock on the file of that name
    std::string path_;
    std::string temporary_; // renamed to path_ at commit; empty when writing in place
    MDB_env* env_ = nullptr;
    MDB_txn* transaction_ = nullptr;
    unsigned database_ = 0;
    std::size_t map_size_ = 0;
    std::vector<Change> changes_; // made again after the map has grown
};

} // namespace facteur::table
