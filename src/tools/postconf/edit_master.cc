#include "base/log.h"
#include "base/text.h"
#include "config/logical_lines.h"
#include "tools/postconf/edit.h"
#include "tools/postconf/edit_file.h"
#include "tools/postconf/pattern.h"
#include "tools/postconf/raw_master.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace facteur::postconf {

namespace {

struct Change {
    Pattern pattern;
    std::string value;
    std::optional<RawEntry> entry; // -Me: the whole entry
    std::size_t field = 0;         // -Fe
};

std::expected<Change, std::string> parse_whole_entry(std::string_view argument, const Options& options)
{
    const std::string_view error = "-Me, -MX or -M# requires service_name/type";
    const auto equals = argument.find('=');
    const auto name = options.has(edit) ? argument.substr(0, equals) : argument;
    auto pattern = Pattern::parse(text::trim(name), 2, 2, error);
    if (!pattern || (!options.has(edit) && equals != argument.npos))
        return std::unexpected(std::string(error));
    Change out{std::move(*pattern), {}, {}, 0};
    if (!options.has(edit))
        return out;
    auto entry = parse_raw_entry(argument.substr(equals + 1));
    if (!entry)
        return std::unexpected(entry.error() == "bad field count" ? fmt::format("{}: \"{}\"", entry.error(), argument)
                                                                  : entry.error());
    out.entry = std::move(*entry);
    return out;
}

std::expected<Change, std::string> parse_attribute(std::string_view argument, const Options& options)
{
    const std::string_view error = options.has(master_fields) ? "-Fe requires service_name/type/field"
                                                              : "-Pe or -PX requires service_name/type/parameter";
    std::string_view name = text::trim(argument);
    std::string_view value;
    if (options.has(edit)) {
        const auto parsed = config::split_name_value(argument);
        if (!parsed.error.empty())
            return std::unexpected(fmt::format("{}: \"{}\"", parsed.error, argument));
        name = parsed.name;
        value = parsed.value;
    }
    auto pattern = Pattern::parse(name, 3, 3, error);
    if (!pattern)
        return std::unexpected(pattern.error());
    pattern->text = argument;
    Change out{std::move(*pattern), std::string(value), {}, 0};
    const auto& third = out.pattern.parts[2];
    if (options.has(master_parameters)) {
        if (options.has(edit) && has_space(value))
            return std::unexpected("-Pe does not accept whitespace in parameter value");
        return out;
    }
    const auto field = std::ranges::find(kFieldNames, third);
    if (field == kFieldNames.end())
        return std::unexpected(fmt::format("invalid service attribute name: \"{}\"", third));
    out.field = static_cast<std::size_t>(field - kFieldNames.begin());
    if (auto bad = check_field(out.field, value, value); !bad.empty())
        return std::unexpected(bad);
    return out;
}

// One logical line of master.cf: its text as written, without the comments that stand inside it.
struct Block {
    std::string text;
    std::string comments; // those
    std::string with_comments;
};

Block take_block(std::string_view& text)
{
    Block block;
    block.text = block.with_comments = take_line(text);
    std::string pending; // comments that may stand inside, or after, the entry
    while (!text.empty()) {
        auto rest = text;
        const auto line = take_line(rest);
        const auto kind = kind_of_line(line);
        const bool hash_or_space = line.front() == '#' || text::is_space(line.front());
        if (kind == LineKind::start || !hash_or_space)
            break;
        text = rest;
        if (kind == LineKind::comment) {
            pending.append(line);
            continue;
        }
        block.with_comments.append(pending).append(line);
        block.comments.append(pending);
        pending.clear();
        block.text.append(line);
    }
    // Comments are kept, before an entry of which parts change, after one that is replaced, as in Postfix.
    block.comments.append(pending);
    block.with_comments.append(pending);
    return block;
}

std::string commented_out(std::string_view block)
{
    std::string out;
    while (!block.empty()) {
        const auto line = take_line(block);
        if (kind_of_line(line) != LineKind::comment)
            out.push_back('#');
        out.append(line);
    }
    return out;
}

struct Editor {
    const Options& options;
    std::vector<Change> changes;

    // The text that takes the block's place.
    std::expected<std::string, std::string> replace(const Block& block);
    Result apply(const Change& change, RawEntry& entry) const;
};

Result Editor::apply(const Change& change, RawEntry& entry) const
{
    if (options.has(master_fields)) {
        if (change.field == kCommandField)
            return set_command(entry, change.value);
        entry.fields[change.field] = change.value;
    } else if (options.has(edit)) {
        entry.set_parameter(change.pattern.parts[2], change.value);
    } else {
        entry.remove_parameter(change.pattern.parts[2]);
    }
    return {};
}

std::expected<std::string, std::string> Editor::replace(const Block& block)
{
    std::string logical = block.text;
    std::ranges::replace(logical, '\n', ' ');
    auto entry = parse_raw_entry(logical);
    if (!entry)
        return std::unexpected(entry.error());
    bool touched = false;
    for (auto& change : changes) {
        if (!change.pattern.matches(*entry))
            continue;
        touched = change.pattern.used = true;
        if (!options.has(master_entries)) {
            if (auto good = apply(change, *entry); !good)
                return std::unexpected(good.error());
            continue;
        }
        if (options.has(exclude))
            return block.comments;
        if (options.has(comment_out))
            return commented_out(block.with_comments);
        return format_entry(*change.entry, Folding::yes) + block.comments;
    }
    return touched ? block.comments + format_entry(*entry, Folding::yes) : block.with_comments;
}

} // namespace

Result edit_master(const std::string& directory, const Options& options)
{
    Editor editor{options, {}};
    for (const auto& argument : options.arguments) {
        auto change =
            options.has(master_entries) ? parse_whole_entry(argument, options) : parse_attribute(argument, options);
        if (!change)
            return std::unexpected(change.error());
        editor.changes.push_back(std::move(*change));
    }
    auto file = FileEdit::open(directory + "/master.cf");
    if (!file)
        return std::unexpected(file.error());
    std::string out;
    for (std::string_view rest = file->text(); !rest.empty();) {
        auto ahead = rest;
        if (const auto line = take_line(ahead); kind_of_line(line) != LineKind::start) {
            out.append(line);
            rest = ahead;
            continue;
        }
        auto replaced = editor.replace(take_block(rest));
        if (!replaced)
            return std::unexpected(replaced.error());
        out.append(*replaced);
    }
    if (!out.empty() && !out.ends_with('\n'))
        out.push_back('\n');
    for (const auto& change : editor.changes) {
        if (change.pattern.used)
            continue;
        if (change.entry)
            out.append(format_entry(*change.entry, Folding::yes));
        else if (!options.has(master_entries))
            log::warning("unmatched service_name/type: \"{}\"", change.pattern.text);
    }
    return file->commit(out);
}

} // namespace facteur::postconf
