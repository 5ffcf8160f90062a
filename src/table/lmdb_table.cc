// "lmdb:", and "hash:" and "btree:" with it: fixed strings in NAME.lmdb, written by postmap and postalias.
//
// postmap puts a new file in the old one's place; a lookup that finds its file unlinked opens the new one. Where that
// fails (a chroot jail), the table says that it has changed and keeps answering from the old file.
#include "base/log.h"
#include "base/text.h"
#include "table/lmdb_file.h"
#include "table/memory_table.h"

#include <ctime>

namespace facteur::table {
namespace {

// A source file edited this recently is about to be indexed: no warning yet.
constexpr time_t kEditingTime = 100;

class LmdbTable final : public Table {
public:
    LmdbTable(const OpenRequest& request, std::string path, LmdbFile file)
        : Table(request.spec.text()), path_(std::move(path)), file_(std::move(file)), keys_(request),
          trailing_null_(request.options.trailing_null)
    {
    }

    LookupResult lookup(std::string_view key) override
    {
        if (file_.unlinked())
            follow_name();
        std::string bytes = keys_.of(key);
        if (trailing_null_ != TableOptions::TrailingNull::without) {
            LookupResult result = find(bytes + '\0');
            if (!result || *result || trailing_null_ == TableOptions::TrailingNull::with)
                return remember(std::move(result), TableOptions::TrailingNull::with);
        }
        return remember(find(bytes), TableOptions::TrailingNull::without);
    }
    bool changed() const override { return stale_; }

    std::expected<std::optional<Pairs>, LookupError> list() override
    {
        Pairs pairs;
        const auto whole = file_.for_each([&](std::string_view key, std::string_view value) {
            pairs.emplace_back(without_null(key), without_null(value));
        });
        if (!whole)
            return std::unexpected(LookupError{fmt::format("error seeking {}: {}", spec(), whole.error())});
        return pairs;
    }

private:
    static std::string_view without_null(std::string_view text) { return text.substr(0, text.find('\0')); }

    LookupResult find(std::string_view key)
    {
        auto value = file_.find(key);
        if (!value)
            return std::unexpected(LookupError{fmt::format("error reading {}: {}", spec(), value.error())});
        if (*value)
            (*value)->resize(without_null(**value).size());
        return std::move(*value);
    }
    // All keys of a file end alike.
    LookupResult remember(LookupResult result, TableOptions::TrailingNull ending)
    {
        if (result && *result)
            trailing_null_ = ending;
        return result;
    }
    void follow_name()
    {
        auto file = LmdbFile::open(path_);
        stale_ = !file;
        if (file) {
            file_ = std::move(*file);
            trailing_null_ = TableOptions::TrailingNull::either;
        }
    }

    std::string path_;
    LmdbFile file_;
    KeyForm keys_;
    TableOptions::TrailingNull trailing_null_;
    bool stale_ = false;
};

void warn_when_outdated(const std::string& path, const std::string& source, const LmdbFile& file)
{
    const auto stamp = FileStamp::of(source);
    if (stamp && stamp->modified.tv_sec > file.modified().tv_sec &&
        stamp->modified.tv_sec < std::time(nullptr) - kEditingTime)
        log::warning("database {} is older than source file {}", path, source);
}

} // namespace

Opened open_lmdb(const OpenRequest& request)
{
    std::string path = request.spec.name + ".lmdb";
    auto file = LmdbFile::open(path);
    if (!file)
        return std::unexpected(fmt::format("open database {}: {}", path, file.error()));
    warn_when_outdated(path, request.spec.name, *file);
    return std::make_unique<LmdbTable>(request, std::move(path), std::move(*file));
}

} // namespace facteur::table
