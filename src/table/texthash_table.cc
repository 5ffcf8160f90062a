// "texthash:": a text table read into memory when it is opened.
#include "base/log.h"
#include "base/text.h"
#include "table/memory_table.h"
#include "table/source_lines.h"
#include "table/text_source.h"

namespace facteur::table {

Opened open_texthash(const OpenRequest& request)
{
    auto file = read_source(request.spec.name, "open database");
    if (!file)
        return std::unexpected(file.error());
    const KeyForm keys(request);
    MemoryTable::Content content;
    read_text_source(file->text, request.spec.name,
                     {.utf8 = request.utf8(),
                      .values_are_files = request.options.values_are_files,
                      .ignoring = " -- ignoring this line"},
                     [&](std::string_view key, std::string_view value, int line) {
                         if (!content.try_emplace(keys.of(key), value).second)
                             log::warning("{}, line {}: duplicate entry: \"{}\"", request.spec.name, line,
                                          text::printable(key, text::Utf8::allow));
                         return true;
                     });
    return std::make_unique<MemoryTable>(request.spec.text(), keys, std::move(content), std::move(file->watch));
}

} // namespace facteur::table
