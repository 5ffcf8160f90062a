#include "config/master_cf.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"
#include "config/expand.h"
#include "config/logical_lines.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <unordered_map>

namespace facteur::config {

namespace {

constexpr std::string_view kSpace = " \t\r\n\v\f";

constexpr std::array<std::pair<std::string_view, SocketType>, 5> kSocketTypes{{
    {"inet", SocketType::inet},
    {"unix", SocketType::unix_stream},
    {"unix-dgram", SocketType::unix_dgram},
    {"fifo", SocketType::fifo},
    {"pass", SocketType::pass},
}};

// Words of one line; "{ ... }" is one word without its braces. The first failed step is kept, later ones do nothing.
class Fields {
public:
    explicit Fields(std::string_view line) : rest_(text::trim(line)) {}

    std::string_view next(std::string_view what)
    {
        const auto word = next_word();
        if (word.empty())
            fail(fmt::format("missing \"{}\" field", what));
        return word;
    }

    std::string_view next_word()
    {
        rest_ = rest_.substr(std::min(rest_.find_first_not_of(kSpace), rest_.size()));
        if (!error_.empty())
            return {};
        const auto end = std::min(rest_.find_first_of(kSpace), rest_.size());
        const auto word = rest_.substr(0, end);
        rest_.remove_prefix(end);
        return word;
    }

    // The program's arguments: "{ a b }" gives "a b".
    std::optional<std::string> next_argument()
    {
        rest_ = rest_.substr(std::min(rest_.find_first_not_of(kSpace), rest_.size()));
        if (!error_.empty() || rest_.empty())
            return std::nullopt;
        if (rest_.front() != '{')
            return std::string(next_word());
        int depth = 0;
        for (std::size_t i = 0; i < rest_.size(); ++i) {
            if (rest_[i] == '{')
                ++depth;
            if (rest_[i] != '}' || --depth > 0)
                continue;
            if (i + 1 < rest_.size() && !text::is_space(rest_[i + 1])) {
                fail(fmt::format("syntax error after '}}' in \"{}\"", rest_));
                return std::nullopt;
            }
            const auto inside = text::trim(rest_.substr(1, i - 1));
            rest_.remove_prefix(i + 1);
            return std::string(inside);
        }
        fail(fmt::format("missing '}}' in \"{}\"", rest_));
        return std::nullopt;
    }

    bool yes_no(std::string_view what, bool if_dash)
    {
        const auto word = next(what);
        if (word == "y" || word == "n")
            return word == "y";
        if (!word.empty() && word != "-")
            bad(what, word);
        return if_dash;
    }

    int number(std::string_view what, std::string_view word)
    {
        const auto value = text::to_long(word);
        if (!value || *value < 0 || *value > 0x7fffffff) {
            bad(what, word);
            return 0;
        }
        return static_cast<int>(*value);
    }

    void bad(std::string_view what, std::string_view word)
    {
        fail(fmt::format("field \"{}\": bad value: \"{}\"", what, word));
    }
    void fail(std::string text)
    {
        if (error_.empty())
            error_ = std::move(text);
    }
    [[nodiscard]] const std::string& error() const { return error_; }

private:
    std::string_view rest_;
    std::string error_;
};

// The chroot column's "-": yes before compatibility level 1.
bool chroot_by_default(const Config& config)
{
    const auto level = compatibility_level_number(config.get(params::compatibility_level));
    return !level || *level < *compatibility_level_number("1");
}

// "-o { name = value }" becomes "name=value", as if written without spaces.
void tidy_override(std::vector<std::string>& args)
{
    if (args.size() < 2 || args[args.size() - 2] != "-o")
        return;
    const auto [name, value, error] = split_name_value(args.back());
    if (error.empty())
        args.back() = fmt::format("{}={}", name, value);
}

MasterEntry parse_entry(Fields& fields, bool chroot_default)
{
    MasterEntry entry;
    entry.name = fields.next("service name");
    const auto type = fields.next("transport type");
    const auto known = std::ranges::find(kSocketTypes, type, &std::pair<std::string_view, SocketType>::first);
    if (known != kSocketTypes.end())
        entry.type = known->second;
    else if (!type.empty())
        fields.bad("transport type", type);
    entry.is_private = fields.yes_no("private", true);
    if (entry.type == SocketType::inet && entry.is_private)
        fields.bad("private", "y");
    entry.unprivileged = fields.yes_no("unprivileged", true);
    entry.chroot = fields.yes_no("chroot", chroot_default);

    auto wakeup = fields.next("wakeup_time");
    if (wakeup.ends_with('?')) {
        entry.wakeup_if_used = true;
        wakeup.remove_suffix(1);
    }
    if (!wakeup.empty() && wakeup != "-")
        entry.wakeup_seconds = fields.number("wakeup_time", wakeup);
    if (const auto limit = fields.next("process_limit"); !limit.empty() && limit != "-")
        entry.process_limit = fields.number("process_limit", limit);

    entry.program = fields.next("command");
    if (entry.program.find('/') != entry.program.npos)
        fields.bad("command", entry.program);
    while (auto argument = fields.next_argument()) {
        entry.args.push_back(std::move(*argument));
        tidy_override(entry.args);
    }
    return entry;
}

} // namespace

std::string_view to_string(SocketType type)
{
    return std::ranges::find(kSocketTypes, type, &std::pair<std::string_view, SocketType>::second)->first;
}

std::string MasterEntry::service_key() const
{
    return fmt::format("{}/{}", name, to_string(type));
}

Overrides MasterEntry::overrides() const
{
    Overrides out;
    for (std::size_t i = 0; i < args.size(); ++i) {
        std::string_view setting;
        if (args[i] == "-o" && i + 1 < args.size())
            setting = args[++i];
        else if (args[i].starts_with("-o") && args[i].size() > 2)
            setting = std::string_view(args[i]).substr(2);
        else
            continue;
        const auto [name, value, error] = split_name_value(setting);
        if (error.empty())
            out.insert_or_assign(std::string(name), std::string(value));
    }
    return out;
}

std::expected<std::vector<MasterEntry>, Problem> parse_master_cf(std::string_view text, const Config& config,
                                                                 std::string_view file)
{
    if (const auto nul = text.find('\0'); nul != text.npos) {
        const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<long>(nul), '\n');
        return std::unexpected(Problem{std::string(file), static_cast<int>(line), "null byte in configuration file"});
    }
    const bool chroot_default = chroot_by_default(config);
    std::vector<MasterEntry> entries;
    std::unordered_map<std::string, std::size_t> places; // of services by key
    for (const auto& line : logical_lines(text)) {
        const auto problem = [&](std::string what) {
            return std::unexpected(Problem{std::string(file), line.first, std::move(what)});
        };
        if (line.starts_with_space)
            return problem("logical line must not start with whitespace");
        Fields fields(line.text);
        auto entry = parse_entry(fields, chroot_default);
        if (!fields.error().empty())
            return problem(fields.error());
        entry.line = line.first;
        const auto [place, is_new] = places.emplace(entry.service_key(), entries.size());
        if (is_new) {
            entries.push_back(std::move(entry));
        } else {
            log::warning("duplicate master.cf entry for service \"{}\" ({}) -- using the last entry", entry.name, file);
            entries[place->second] = std::move(entry);
        }
    }
    return entries;
}

std::expected<std::vector<MasterEntry>, Problem> load_master_cf(const Config& config)
{
    const auto path = config.directory() + "/master.cf";
    const auto text = read_file(path);
    if (!text)
        return std::unexpected(Problem{"", 0, text.error().message()});
    return parse_master_cf(*text, config, path);
}

const MasterEntry* find_transport(const std::vector<MasterEntry>& entries, std::string_view name)
{
    const auto found = std::ranges::find_if(
        entries, [&](const MasterEntry& entry) { return entry.name == name && entry.type != SocketType::inet; });
    return found == entries.end() ? nullptr : &*found;
}

} // namespace facteur::config
