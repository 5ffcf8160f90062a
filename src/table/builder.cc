#include "table/builder.h"

#include "base/log.h"
#include "base/text.h"
#include "config/params.h"
#include "table/file_stamp.h"
#include "table/lmdb_writer.h"
#include "table/memory_table.h"

namespace facteur::table {
namespace {

// Postfix ends keys and values with a null byte unless told otherwise.
std::string ended(std::string text, TableOptions::TrailingNull ending)
{
    if (ending != TableOptions::TrailingNull::without)
        text += '\0';
    return text;
}

LmdbCreation creation_of(const OpenRequest& request, mode_t mode)
{
    return {static_cast<std::size_t>(request.config.get(config::params::lmdb_map_size)), mode};
}

class LmdbBuilder final : public TableBuilder {
public:
    LmdbBuilder(const OpenRequest& request, Duplicates duplicates, LmdbWriter writer)
        : spec_(request.spec.text()), keys_(request), trailing_null_(request.options.trailing_null),
          duplicates_(duplicates), writer_(std::move(writer))
    {
    }

    std::expected<void, std::string> put(std::string_view key, std::string_view value) override
    {
        return put_exact(keys_.of(key), value, duplicates_);
    }
    std::expected<void, std::string> put_exact(std::string_view key, std::string_view value,
                                               Duplicates duplicates) override
    {
        const auto added =
            writer_.put(ended(std::string(key), trailing_null_), ended(std::string(value), trailing_null_),
                        duplicates == Duplicates::replace ? Overwrite::yes : Overwrite::no);
        if (!added)
            return std::unexpected(fmt::format("error updating {}: {}", spec_, added.error()));
        if (!*added && duplicates == Duplicates::warn)
            log::warning("{}: duplicate entry: \"{}\"", spec_, text::printable(key, text::Utf8::allow));
        return {};
    }
    std::expected<void, std::string> finish() override
    {
        const auto written = writer_.commit();
        if (!written)
            return std::unexpected(fmt::format("error updating {}: {}", spec_, written.error()));
        return {};
    }

private:
    std::string spec_;
    KeyForm keys_;
    TableOptions::TrailingNull trailing_null_;
    Duplicates duplicates_;
    LmdbWriter writer_;
};

class FailBuilder final : public TableBuilder {
public:
    explicit FailBuilder(std::string spec) : spec_(std::move(spec)) {}
    std::expected<void, std::string> put(std::string_view, std::string_view) override
    {
        return std::unexpected(fmt::format("table {}: write error: Application error", spec_));
    }
    std::expected<void, std::string> put_exact(std::string_view key, std::string_view value, Duplicates) override
    {
        return put(key, value);
    }
    std::expected<void, std::string> finish() override { return {}; }

private:
    std::string spec_;
};

} // namespace

std::expected<std::unique_ptr<TableBuilder>, std::string> open_builder(const OpenRequest& request,
                                                                       const BuildOptions& options)
{
    const Spec& spec = request.spec;
    if (spec.type == "fail")
        return std::make_unique<FailBuilder>(spec.text());
    if (!find_driver(spec.type))
        return std::unexpected(fmt::format("unsupported dictionary type: {}", spec.type));
    if (!is_indexed_type(spec.type))
        return std::unexpected(
            fmt::format("unsupported dictionary type: {} does not support bulk-mode creation.", spec.type));
    const std::string path = spec.name + ".lmdb";
    const LmdbCreation creation = creation_of(request, options.mode);
    auto writer = options.incremental ? LmdbWriter::update(path, creation) : LmdbWriter::replace(path, creation);
    if (!writer)
        return std::unexpected(writer.error());
    return std::make_unique<LmdbBuilder>(request, options.duplicates, std::move(*writer));
}

std::expected<bool, std::string> erase_key(const OpenRequest& request, std::string_view key)
{
    const Spec& spec = request.spec;
    const std::string path = spec.name + ".lmdb";
    if (!FileStamp::of(path))
        return std::unexpected(SystemError{"open database", path, ENOENT}.message());
    auto writer = LmdbWriter::update(path, creation_of(request, 0644));
    if (!writer)
        return std::unexpected(writer.error());
    const std::string folded = KeyForm(request).of(key);
    using enum TableOptions::TrailingNull;
    std::expected<bool, std::string> erased = false;
    if (request.options.trailing_null != without)
        erased = writer->erase(ended(folded, with));
    if (erased && !*erased && request.options.trailing_null != with && !folded.empty())
        erased = writer->erase(folded);
    if (!erased)
        return std::unexpected(fmt::format("error deleting from {}: {}", spec.text(), erased.error()));
    if (!*erased)
        return false;
    if (const auto written = writer->commit(); !written)
        return std::unexpected(fmt::format("error deleting from {}: {}", spec.text(), written.error()));
    return true;
}

} // namespace facteur::table
