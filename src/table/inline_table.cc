// "inline:{key=value, {key = value with spaces}}".
#include "base/text.h"
#include "table/braces.h"
#include "table/file_values.h"
#include "table/memory_table.h"

namespace facteur::table {
namespace {

using Pair = std::pair<std::string_view, std::string_view>;

std::expected<Pair, std::string> split_pair(std::string_view element)
{
    if (element.starts_with('{')) {
        const auto inside = strip_braces(element);
        if (!inside)
            return std::unexpected(inside.error());
        element = *inside;
    }
    if (element.empty())
        return std::unexpected("missing attribute name");
    const auto name = element.substr(0, element.find_first_of(" \t\r\n\v\f="));
    const auto rest = text::trim(element.substr(name.size()));
    if (!rest.starts_with('='))
        return std::unexpected("missing '=' after attribute name");
    return Pair{name, text::trim(rest.substr(1))};
}

} // namespace

Opened open_inline(const OpenRequest& request)
{
    const auto refuse = [&](std::string_view why) {
        return std::unexpected(fmt::format("{}: \"{}\"; need \"inline:{{name=value...}}\"", why, request.spec.text()));
    };
    const std::string_view name = request.spec.name;
    const auto length = balanced_braces(name);
    if (length <= 2 || length != name.size())
        return refuse("bad syntax");

    const KeyForm keys(request);
    MemoryTable::Content content;
    for (const std::string_view element : split_braced(name.substr(1, length - 2))) {
        const auto pair = split_pair(element);
        if (!pair)
            return refuse(pair.error());
        std::string value(pair->second);
        if (request.options.values_are_files) {
            auto encoded = base64_of_files(value);
            if (!encoded)
                return refuse(encoded.error());
            value = std::move(*encoded);
        }
        content.insert_or_assign(keys.of(pair->first), std::move(value));
    }
    if (content.empty())
        return refuse("empty table");
    return std::make_unique<MemoryTable>(request.spec.text(), keys, std::move(content), WatchedFile{});
}

} // namespace facteur::table
