#include "table/lmdb_writer.h"

#include "base/error.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <lmdb.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <utility>

namespace facteur::table {
namespace {

constexpr int kOpenAttempts = 100;

std::string open_failure(const std::string& path, int error)
{
    return fmt::format("open database {}: {}", path, error > 0 ? errno_text(error) : std::string(mdb_strerror(error)));
}

// The file behind symbolic links: renaming must not replace a link.
std::string real_path(const std::string& path)
{
    char resolved[PATH_MAX];
    return ::realpath(path.c_str(), resolved) ? resolved : path;
}

bool lock_exclusively(int fd)
{
    struct flock lock{};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    int result;
    do {
        result = ::fcntl(fd, F_OFD_SETLKW, &lock);
    } while (result < 0 && errno == EINTR);
    return result == 0;
}

// Opens and locks the file; once more when it was replaced while we waited.
std::expected<UniqueFd, SystemError> open_locked(const std::string& path, int flags, mode_t mode)
{
    for (int attempt = 0; attempt < kOpenAttempts; ++attempt) {
        auto fd = open_file(path, flags, mode);
        if (!fd)
            return fd;
        if (!lock_exclusively(fd->get()))
            return std::unexpected(SystemError::last("lock", path));
        struct stat ours{};
        struct stat named{};
        if (::fstat(fd->get(), &ours) == 0 && ::stat(path.c_str(), &named) == 0 && ours.st_ino == named.st_ino &&
            ours.st_dev == named.st_dev)
            return fd;
    }
    return std::unexpected(SystemError{"lock", path, EBUSY});
}

MDB_val bytes_of(const std::string& text)
{
    return {text.size(), const_cast<char*>(text.data())};
}

} // namespace

LmdbWriter::LmdbWriter(LmdbWriter&& other) noexcept
    : lock_(std::move(other.lock_)), path_(std::move(other.path_)), temporary_(std::exchange(other.temporary_, {})),
      env_(std::exchange(other.env_, nullptr)), transaction_(std::exchange(other.transaction_, nullptr)),
      database_(other.database_), map_size_(other.map_size_), changes_(std::move(other.changes_))
{
}

LmdbWriter& LmdbWriter::operator=(LmdbWriter&& other) noexcept
{
    std::swap(lock_, other.lock_);
    std::swap(path_, other.path_);
    std::swap(temporary_, other.temporary_);
    std::swap(env_, other.env_);
    std::swap(transaction_, other.transaction_);
    std::swap(database_, other.database_);
    std::swap(map_size_, other.map_size_);
    std::swap(changes_, other.changes_);
    return *this;
}

LmdbWriter::~LmdbWriter()
{
    if (transaction_)
        mdb_txn_abort(transaction_);
    if (env_)
        mdb_env_close(env_);
    if (!temporary_.empty())
        ::unlink(temporary_.c_str());
}

std::expected<LmdbWriter, std::string> LmdbWriter::update(const std::string& path, const LmdbCreation& creation)
{
    LmdbWriter writer;
    writer.path_ = real_path(path);
    auto lock = open_locked(writer.path_, O_RDWR | O_CREAT, creation.mode);
    if (!lock)
        return std::unexpected(open_failure(path, lock.error().code));
    writer.lock_ = std::move(*lock);
    struct stat st{};
    const std::size_t size = ::fstat(writer.lock_.get(), &st) == 0 ? static_cast<std::size_t>(st.st_size) : 0;
    if (const int error = writer.open(writer.path_, std::max(creation.map_size, 2 * size), 0); error != 0)
        return std::unexpected(open_failure(path, error));
    return writer;
}

std::expected<LmdbWriter, std::string> LmdbWriter::replace(const std::string& path, const LmdbCreation& creation)
{
    auto beside = replace_beside(path, creation);
    if (beside || ::access(path.c_str(), W_OK) != 0)
        return beside;
    auto writer = update(path, creation);
    if (writer)
        if (const int error = writer->change({Change::Kind::clear, {}, {}}, Overwrite::yes); error != 0)
            return std::unexpected(open_failure(path, error));
    return writer;
}

std::expected<LmdbWriter, std::string> LmdbWriter::replace_beside(const std::string& path, const LmdbCreation& creation)
{
    LmdbWriter writer;
    writer.path_ = real_path(path);
    mode_t mode = creation.mode;
    struct stat st{};
    const bool exists = ::stat(writer.path_.c_str(), &st) == 0;
    if (exists) {
        if (!S_ISREG(st.st_mode))
            return std::unexpected(open_failure(path, S_ISDIR(st.st_mode) ? EISDIR : EINVAL));
        auto lock = open_locked(writer.path_, O_RDWR, 0);
        if (!lock)
            return std::unexpected(open_failure(path, lock.error().code));
        writer.lock_ = std::move(*lock);
        mode = st.st_mode & 07777;
    }
    std::string name = writer.path_ + ".XXXXXX";
    const UniqueFd fd(::mkostemp(name.data(), O_CLOEXEC));
    if (!fd)
        return std::unexpected(open_failure(path, errno));
    writer.temporary_ = name;
    // Only root can give the new file the old one's owner; others keep theirs, as with any file they make.
    const bool kept_owner = !exists || ::geteuid() != 0 || ::fchown(fd.get(), st.st_uid, st.st_gid) == 0;
    if (!kept_owner || ::fchmod(fd.get(), mode) != 0)
        return std::unexpected(open_failure(path, errno));
    if (const int error = writer.open(name, creation.map_size, MDB_NOSYNC); error != 0)
        return std::unexpected(open_failure(path, error));
    return writer;
}

// These return LMDB's codes: 0, an errno, or a negative number.

int LmdbWriter::open(const std::string& file, std::size_t map_size, unsigned flags)
{
    map_size_ = map_size;
    if (const int error = mdb_env_create(&env_); error != 0)
        return error;
    if (const int error = mdb_env_set_mapsize(env_, map_size_); error != 0)
        return error;
    if (const int error = mdb_env_open(env_, file.c_str(), MDB_NOSUBDIR | MDB_NOLOCK | flags, 0600); error != 0)
        return error;
    return begin();
}

int LmdbWriter::begin()
{
    if (const int error = mdb_txn_begin(env_, nullptr, 0, &transaction_); error != 0)
        return error;
    return mdb_dbi_open(transaction_, nullptr, 0, &database_);
}

int LmdbWriter::apply(const Change& change, Overwrite overwrite)
{
    MDB_val key = bytes_of(change.key);
    MDB_val value = bytes_of(change.value);
    switch (change.kind) {
    case Change::Kind::put:
        return mdb_put(transaction_, database_, &key, &value, overwrite == Overwrite::no ? MDB_NOOVERWRITE : 0);
    case Change::Kind::erase:
        return mdb_del(transaction_, database_, &key, nullptr);
    case Change::Kind::clear:
        return mdb_drop(transaction_, database_, 0);
    }
    return EINVAL;
}

int LmdbWriter::change(Change change, Overwrite overwrite)
{
    int error = apply(change, overwrite);
    while (error == MDB_MAP_FULL) {
        error = grow();
        if (error == 0)
            error = apply(change, overwrite);
    }
    if (error == 0)
        changes_.push_back(std::move(change));
    return error;
}

// A full map spoils the transaction: it starts again on a larger one.
int LmdbWriter::grow()
{
    for (;;) {
        mdb_txn_abort(std::exchange(transaction_, nullptr));
        map_size_ *= 2;
        if (const int error = mdb_env_set_mapsize(env_, map_size_); error != 0)
            return error;
        if (const int error = begin(); error != 0)
            return error;
        int error = 0;
        for (auto change = changes_.begin(); error == 0 && change != changes_.end(); ++change)
            error = apply(*change, Overwrite::yes);
        if (error != MDB_MAP_FULL)
            return error;
    }
}

std::expected<bool, std::string> LmdbWriter::put(std::string_view key, std::string_view value, Overwrite overwrite)
{
    const int error = change({Change::Kind::put, std::string(key), std::string(value)}, overwrite);
    if (error != 0 && error != MDB_KEYEXIST)
        return std::unexpected(mdb_strerror(error));
    return error == 0;
}

std::expected<bool, std::string> LmdbWriter::erase(std::string_view key)
{
    const int error = change({Change::Kind::erase, std::string(key), {}}, Overwrite::yes);
    if (error != 0 && error != MDB_NOTFOUND)
        return std::unexpected(mdb_strerror(error));
    return error == 0;
}

std::expected<void, std::string> LmdbWriter::commit()
{
    int error = mdb_txn_commit(std::exchange(transaction_, nullptr));
    while (error == MDB_MAP_FULL) {
        // A commit writes pages of its own and can be what fills the map; its transaction is gone by then.
        error = begin();
        if (error == 0)
            error = grow();
        if (error == 0)
            error = mdb_txn_commit(std::exchange(transaction_, nullptr));
    }
    if (error == 0)
        error = mdb_env_sync(env_, 1);
    if (error != 0)
        return std::unexpected(mdb_strerror(error));
    mdb_env_close(std::exchange(env_, nullptr));
    if (temporary_.empty())
        return {};
    if (::rename(temporary_.c_str(), path_.c_str()) != 0)
        return std::unexpected(SystemError::last("rename", path_).message());
    temporary_.clear();
    return {};
}

} // namespace facteur::table
