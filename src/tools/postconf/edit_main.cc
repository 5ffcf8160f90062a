#include "base/log.h"
#include "base/text.h"
#include "config/logical_lines.h"
#include "tools/postconf/edit.h"
#include "tools/postconf/edit_file.h"

#include <fmt/format.h>

#include <map>

namespace facteur::postconf {

namespace {

struct Change {
    std::string value;
    int found = 0;
};

struct Changes {
    std::map<std::string, Change, std::less<>> by_name;
    std::vector<std::string> order; // in which new ones are added
};

std::expected<Changes, std::string> parse_changes(const Options& options)
{
    Changes out;
    for (const auto& argument : options.arguments) {
        std::string_view name = text::trim(argument);
        std::string_view value;
        if (options.has(edit)) {
            const auto parsed = config::split_name_value(argument);
            if (!parsed.error.empty())
                return std::unexpected(fmt::format("{}: \"{}\"", parsed.error, argument));
            name = parsed.name;
            value = parsed.value;
        } else if (argument.find('=') != std::string::npos) {
            return std::unexpected(fmt::format("-X or -# requires names without value: \"{}\"", argument));
        }
        const auto [at, fresh] = out.by_name.try_emplace(std::string(name));
        if (!fresh && options.has(edit))
            log::warning("ignoring earlier request: '{} = {}'", name, at->second.value);
        at->second.value = value;
        if (fresh)
            out.order.emplace_back(name);
    }
    return out;
}

std::string edited(std::string_view text, Changes& changes, const Options& options, const std::string& path)
{
    std::string out;
    bool chosen = false; // the logical line that continues is one to change
    while (!text.empty()) {
        const auto line = take_line(text);
        const auto kind = kind_of_line(line);
        if (kind == LineKind::start) {
            const auto name = line.substr(0, line.find_first_of(" \t\r\n="));
            const auto change = changes.by_name.find(name);
            chosen = change != changes.by_name.end();
            if (chosen && change->second.found++ == 1)
                log::warning("{}: multiple entries for \"{}\"", path, name);
            if (chosen && options.has(edit))
                out += fmt::format("{} = {}\n", name, change->second.value);
        }
        if (kind == LineKind::comment || !chosen)
            out.append(line);
        else if (options.has(comment_out))
            out.append("#").append(line);
    }
    if (!out.empty() && !out.ends_with('\n'))
        out.push_back('\n');
    if (options.has(edit))
        for (const auto& name : changes.order)
            if (const auto& change = changes.by_name.find(name)->second; change.found == 0)
                out += fmt::format("{} = {}\n", name, change.value);
    return out;
}

} // namespace

std::string_view take_line(std::string_view& text)
{
    const auto end = text.find('\n');
    const auto line = text.substr(0, end == text.npos ? end : end + 1);
    text.remove_prefix(line.size());
    return line;
}

LineKind kind_of_line(std::string_view line)
{
    const auto visible = text::trim(line);
    if (visible.empty() || visible.front() == '#')
        return LineKind::comment;
    return text::is_space(line.front()) ? LineKind::continuation : LineKind::start;
}

Result check_edit_arguments(const Options& options)
{
    for (const auto& argument : options.arguments) {
        if (argument.find('\n') != std::string::npos)
            return std::unexpected("-e, -X, or -# accepts no multi-line input");
        if (text::trim(argument).starts_with('#'))
            return std::unexpected("-e, -X, or -# accepts no comment input");
    }
    return {};
}

Result edit_main(const std::string& directory, const Options& options)
{
    auto changes = parse_changes(options);
    if (!changes)
        return std::unexpected(changes.error());
    auto file = FileEdit::open(directory + "/main.cf");
    if (!file)
        return std::unexpected(file.error());
    return file->commit(edited(file->text(), *changes, options, file->path()));
}

} // namespace facteur::postconf
