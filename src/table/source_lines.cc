#include "table/source_lines.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"
#include "config/logical_lines.h"
#include "table/braces.h"

namespace facteur::table {
namespace {

constexpr std::size_t kSourceLimit = std::size_t{1} << 30;
constexpr std::size_t kShownLength = 30;
constexpr int kReadAttempts = 3;

} // namespace

std::vector<SourceLine> source_lines(std::string_view file_text, std::string_view file)
{
    std::vector<SourceLine> lines;
    for (const config::LogicalLine& line : config::logical_lines(file_text)) {
        const std::string_view text = std::string_view(line.text).substr(0, line.text.find('\0'));
        if (line.starts_with_space) {
            log::warning("{}: logical line must not start with whitespace: \"{}{}\"", file,
                         text::printable(text.substr(0, kShownLength), text::Utf8::allow),
                         text.size() > kShownLength ? "..." : "");
            continue;
        }
        if (const auto visible = text::trim(text); !visible.empty())
            lines.push_back({std::string(visible), line.first});
    }
    return lines;
}

std::expected<SourceFile, std::string> read_source(const std::string& path, std::string_view what)
{
    for (int attempt = 1;; ++attempt) {
        WatchedFile watch(path);
        auto text = read_file(path, kSourceLimit);
        if (!text)
            return std::unexpected(fmt::format("{} {}: {}", text.error().operation == "open" ? what : "read", path,
                                               errno_text(text.error().code)));
        if (!watch.changed() || attempt == kReadAttempts)
            return SourceFile{std::move(*text), std::move(watch)};
    }
}

void RuleSource::warn(int line, std::string_view text) const
{
    log::warning("{}, line {}: {}", map, line, text::printable(text, text::Utf8::allow));
}

std::expected<RuleSource, std::string> read_rules(const OpenRequest& request)
{
    RuleSource source;
    source.map = fmt::format("{} map {}", request.spec.type, text::printable(request.spec.name, text::Utf8::allow));
    if (!request.spec.name.starts_with('{')) {
        auto file = read_source(request.spec.name, "open");
        if (!file)
            return std::unexpected(file.error());
        source.lines = source_lines(file->text, request.spec.name);
        source.watch = std::move(file->watch);
        return source;
    }
    const auto inside = strip_braces(request.spec.name);
    if (!inside)
        return std::unexpected(fmt::format("{} map: {}", request.spec.type, inside.error()));
    int number = 0;
    for (const std::string_view element : split_braced(*inside)) {
        const auto rule = strip_braces(element);
        if (!rule)
            return std::unexpected(fmt::format("{} map: {}", request.spec.type, rule.error()));
        ++number;
        if (!rule->empty() && rule->front() != '#')
            source.lines.push_back({std::string(*rule), number});
    }
    return source;
}

std::optional<OpenBlocks::Block> OpenBlocks::leave()
{
    if (blocks_.empty())
        return std::nullopt;
    const Block block = blocks_.back();
    blocks_.pop_back();
    return block;
}

bool starts_with_keyword(std::string_view text, std::string_view word)
{
    return text::istarts_with(text, word) && (text.size() == word.size() || !text::is_alnum(text[word.size()]));
}

} // namespace facteur::table
