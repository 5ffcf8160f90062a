#include "table/fold.h"

#include "base/text.h"

#include <unicode/ucasemap.h>

#include <memory>

namespace facteur::table {
namespace {

struct CloseCaseMap {
    void operator()(UCaseMap* map) const { ucasemap_close(map); }
};

std::string fold_unicode(std::string_view key)
{
    UErrorCode status = U_ZERO_ERROR;
    thread_local const std::unique_ptr<UCaseMap, CloseCaseMap> case_map{
        ucasemap_open("", U_FOLD_CASE_DEFAULT, &status)};
    if (!case_map)
        return text::to_lower(key);
    // Full folding makes at most three characters of one.
    std::string out(key.size() * 3 + 1, '\0');
    const auto length = ucasemap_utf8FoldCase(case_map.get(), out.data(), static_cast<int32_t>(out.size()), key.data(),
                                              static_cast<int32_t>(key.size()), &status);
    if (U_FAILURE(status) || length < 0 || static_cast<std::size_t>(length) > out.size())
        return text::to_lower(key);
    out.resize(static_cast<std::size_t>(length));
    return out;
}

} // namespace

std::string fold_key(std::string_view key, FoldRange range)
{
    if (range == FoldRange::ascii || text::all_ascii(key) || !text::valid_utf8(key))
        return text::to_lower(key);
    return fold_unicode(key);
}

} // namespace facteur::table
