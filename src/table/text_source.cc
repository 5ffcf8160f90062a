#include "table/text_source.h"

#include "base/log.h"
#include "base/text.h"
#include "table/file_values.h"
#include "table/source_lines.h"

namespace facteur::table {
namespace {

// Length of the key at the front of a line: up to white space outside double quotes. npos: a quote is left open.
std::size_t key_length(std::string_view line)
{
    bool quoted = false;
    for (std::size_t i = 0; i < line.size(); ++i) {
        if (line[i] == '\\')
            ++i;
        else if (line[i] == '"')
            quoted = !quoted;
        else if (text::is_space(line[i]) && !quoted)
            return i;
    }
    return quoted ? line.npos : line.size();
}

} // namespace

void read_text_source(std::string_view text, std::string_view file, const TextSourceOptions& options,
                      const std::function<bool(std::string_view, std::string_view, int)>& take)
{
    for (const SourceLine& line : source_lines(text, file)) {
        const auto warn = [&](std::string_view what) {
            log::warning("{}, line {}: {}", file, line.number, text::printable(what, text::Utf8::allow));
        };
        if (options.utf8 && !text::valid_utf8(line.text)) {
            warn(fmt::format("non-UTF-8 input \"{}\" -- ignoring this line", line.text));
            continue;
        }
        const auto length = key_length(line.text);
        if (length == std::string::npos) {
            warn(fmt::format("unbalanced '\"' in '{}' -- ignoring this line", line.text));
            continue;
        }
        const auto key = std::string_view(line.text).substr(0, length);
        const auto value = text::trim(std::string_view(line.text).substr(key.size()));
        if (value.empty()) {
            warn(fmt::format("expected format: key whitespace value{}", options.ignoring));
            continue;
        }
        if (key.ends_with(':'))
            warn("record is in \"key: value\" format; is this an alias file?");
        std::string content(value);
        if (options.values_are_files) {
            auto encoded = base64_of_files(value);
            if (!encoded) {
                warn(encoded.error() + ": skipping this entry");
                continue;
            }
            content = std::move(*encoded);
        }
        if (!take(key, content, line.number))
            return;
    }
}

} // namespace facteur::table
