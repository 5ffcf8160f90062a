#include "tools/postconf/raw_master.h"

#include "base/log.h"
#include "base/text.h"
#include "config/logical_lines.h"

#include <fmt/format.h>

#include <algorithm>

namespace facteur::postconf {

namespace {

constexpr std::array<std::size_t, 8> kColumns{0, 11, 17, 25, 33, 41, 49, 57};
constexpr std::string_view kSpace = " \t\r\n\v\f";

// Words, "{ ... }" being one; braces are taken off. A brace that is not closed, or is followed by text, is warned of.
std::vector<std::string> words_of(std::string_view text)
{
    std::vector<std::string> out;
    for (;;) {
        text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
        if (text.empty())
            return out;
        std::size_t end = 0;
        int depth = 0;
        for (; end < text.size() && (depth > 0 || !text::is_space(text[end])); ++end) {
            if (text[end] == '{' && (depth > 0 || end == 0))
                ++depth;
            else if (text[end] == '}' && depth > 0)
                --depth;
        }
        auto word = text.substr(0, end);
        text.remove_prefix(end);
        if (word.front() != '{') {
            out.emplace_back(word);
            continue;
        }
        if (depth > 0)
            log::warning("master.cf: missing '}}' in \"{}\"", word);
        else if (word.back() != '}')
            log::warning("master.cf: syntax error after '}}' in \"{}\"", word);
        const auto close = depth > 0 ? word.size() : word.rfind('}');
        out.emplace_back(text::trim(word.substr(1, close - 1)));
    }
}

// "-oname=value" becomes "-o", "name=value"; "-o", "name = value" loses the spaces around '='.
std::vector<std::string> tidy_args(std::vector<std::string> words)
{
    std::vector<std::string> out;
    for (auto& word : words) {
        if (word.starts_with("-o") && word.size() > 2) {
            out.emplace_back("-o");
            word.erase(0, 2);
        }
        if (!out.empty() && out.back() == "-o")
            if (const auto [name, value, error] = config::split_name_value(word); error.empty())
                word = fmt::format("{}={}", name, value);
        out.push_back(std::move(word));
    }
    return out;
}

bool is_count(std::string_view text)
{
    return text == "-" || (!text.empty() && text.find_first_not_of("0123456789") == text.npos);
}

// Where the daemon's own options end: at the first argument that is no option.
std::size_t options_end(const std::vector<std::string>& args)
{
    std::size_t i = 0;
    while (i < args.size() && args[i].starts_with('-') && args[i] != "--")
        i += args[i] == "-o" && i + 1 < args.size() ? 2 : 1;
    return i;
}

std::string braced(std::string_view text)
{
    return has_space(text) ? fmt::format("{{{}}}", text) : std::string(text);
}

// Writes the arguments: with folding, each "-o name=value" on its own line and the rest filled up to the limit.
void append_args(std::string& out, std::size_t length, const RawEntry& entry, Folding folding, const ShowValue& show)
{
    const auto end = options_end(entry.args);
    bool break_before = false;
    for (std::size_t i = 0; i < entry.args.size(); ++i) {
        const bool option = i < end;
        const bool setting = option && entry.args[i] == "-o" && i + 1 < entry.args.size();
        std::string item = option ? entry.args[i] : braced(entry.args[i]);
        if (setting) {
            std::string value = entry.args[++i];
            if (const auto [name, text, error] = config::split_name_value(value); show && error.empty())
                value = fmt::format("{}={}", name, show(name, text));
            item += " " + braced(value);
        }
        if (folding == Folding::no || (!setting && !break_before && length + 1 + item.size() < kLineLimit)) {
            out.push_back(' ');
            ++length;
        } else {
            out.append("\n").append(kIndent, ' ');
            length = kIndent;
        }
        out.append(item);
        length += item.size();
        break_before = setting;
    }
    out.push_back('\n');
}

} // namespace

std::map<std::string, std::string> RawEntry::parameters() const
{
    std::map<std::string, std::string> out;
    const auto end = options_end(args);
    for (std::size_t i = 0; i + 1 < end; ++i)
        if (args[i] == "-o")
            if (const auto [name, value, error] = config::split_name_value(args[++i]); error.empty())
                out.insert_or_assign(std::string(name), std::string(value));
    return out;
}

bool RawEntry::set_parameter(std::string_view name, std::string_view value)
{
    const auto setting = fmt::format("{}={}", name, value);
    const auto end = options_end(args);
    for (std::size_t i = 0; i + 1 < end; ++i)
        if (args[i] == "-o" && config::split_name_value(args[++i]).name == name) {
            args[i] = setting;
            return true;
        }
    const auto at = args.insert(args.begin() + static_cast<long>(end), "-o");
    args.insert(at + 1, setting);
    return true;
}

void RawEntry::remove_parameter(std::string_view name)
{
    for (std::size_t i = 0; i + 1 < options_end(args);) {
        const bool setting = args[i] == "-o";
        if (setting && config::split_name_value(args[i + 1]).name == name)
            args.erase(args.begin() + static_cast<long>(i), args.begin() + static_cast<long>(i) + 2);
        else
            i += setting ? 2 : 1;
    }
}

std::string check_field(std::size_t field, std::string_view value, std::string_view context)
{
    bool good = !value.empty();
    if (field == 1)
        good = value == "inet" || value == "unix" || value == "fifo" || value == "pass" || value == "unix-dgram";
    else if (field >= 2 && field <= 4)
        good = value == "y" || value == "n" || value == "-";
    else if (field == 5)
        good = is_count(value.ends_with('?') ? value.substr(0, value.size() - 1) : value);
    else if (field == 6)
        good = is_count(value);
    return good ? std::string() : fmt::format("invalid {} field \"{}\" in \"{}\"", kFieldNames[field], value, context);
}

std::expected<RawEntry, std::string> parse_raw_entry(std::string_view line)
{
    auto words = words_of(line);
    if (words.size() <= kCommandField)
        return std::unexpected("bad field count");
    RawEntry entry;
    for (std::size_t i = 0; i < entry.fields.size(); ++i) {
        if (auto error = check_field(i, words[i], line); !error.empty())
            return std::unexpected(error);
        entry.fields[i] = words[i];
    }
    words.erase(words.begin(), words.begin() + static_cast<long>(entry.fields.size()));
    entry.args = tidy_args(std::move(words));
    return entry;
}

std::expected<void, std::string> set_command(RawEntry& entry, std::string_view text)
{
    auto words = words_of(text);
    if (words.empty())
        return std::unexpected(check_field(kCommandField, "", text));
    entry.fields[kCommandField] = words.front();
    words.erase(words.begin());
    entry.args = tidy_args(std::move(words));
    return {};
}

std::string format_entry(const RawEntry& entry, Folding folding, const ShowValue& show)
{
    std::string out;
    for (std::size_t i = 0; i < entry.fields.size(); ++i) {
        if (i > 0)
            out.append(std::max<std::size_t>(1, kColumns[i] - std::min(kColumns[i], out.size())), ' ');
        out.append(entry.fields[i]);
    }
    append_args(out, out.size(), entry, folding, show);
    return out;
}

std::string format_command(std::string_view label, const RawEntry& entry, Folding folding, const ShowValue& show)
{
    auto out = fmt::format("{}{}", label, entry.fields[kCommandField]);
    append_args(out, out.size(), entry, folding, show);
    return out;
}

} // namespace facteur::postconf
