#include "table/maintenance.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"
#include "config/params.h"
#include "table/alias_source.h"
#include "table/effective_owner.h"
#include "table/file_values.h"
#include "table/source_lines.h"
#include "table/text_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <ctime>
#include <iostream>

namespace facteur::table {
namespace {

std::string shown(std::string_view text)
{
    return text::printable(text, text::Utf8::allow);
}

struct Source {
    std::string name; // for messages
    std::string text;
    struct stat status{};
};

std::expected<std::string, SystemError> read_all(int fd, const std::string& name)
{
    std::string text;
    char buffer[65536];
    for (;;) {
        const ssize_t got = ::read(fd, buffer, sizeof buffer);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return std::unexpected(SystemError::last("read", name));
        if (got == 0)
            return text;
        text.append(buffer, static_cast<std::size_t>(got));
    }
}

std::expected<Source, std::string> open_source(const std::string& path, bool incremental)
{
    Source source;
    source.name = incremental ? "stdin" : path;
    UniqueFd file;
    if (!incremental) {
        auto opened = open_file(path, O_RDONLY);
        if (!opened)
            return std::unexpected(opened.error().message());
        file = std::move(*opened);
    }
    const int fd = incremental ? STDIN_FILENO : file.get();
    if (::fstat(fd, &source.status) != 0)
        return std::unexpected(SystemError::last("fstat", source.name).message());
    auto text = read_all(fd, source.name);
    if (!text)
        return std::unexpected(text.error().message());
    source.text = std::move(*text);
    return source;
}

mode_t mode_for(const Source& source, bool inherit)
{
    constexpr mode_t kDefaultMode = 0644;
    const mode_t process_mask = ::umask(0);
    ::umask(process_mask);
    if (!inherit || !S_ISREG(source.status.st_mode))
        return kDefaultMode & ~process_mask;
    return kDefaultMode & ~(022 | (~source.status.st_mode & 077));
}

// What other programs that read alias tables expect to find: Sendmail's mark of a finished table, and NIS's signature.
std::expected<void, std::string> add_signatures(TableBuilder& builder, const Maintenance& how, const std::string& host)
{
    const std::pair<std::string, std::string> signatures[] = {
        {"@", "@"}, {"YP_LAST_MODIFIED", fmt::format("{:010}", std::time(nullptr))}, {"YP_MASTER_NAME", host}};
    const Duplicates duplicates = how.incremental ? Duplicates::replace : how.duplicates;
    for (const auto& [key, value] : signatures)
        if (auto put = builder.put_exact(key, value, duplicates); !put)
            return put;
    return {};
}

std::expected<void, std::string> fill(TableBuilder& builder, const Source& source, const OpenRequest& request,
                                      const Maintenance& how)
{
    std::expected<void, std::string> result;
    const auto take = [&](std::string_view key, std::string_view value) {
        result = builder.put(key, value);
        return result.has_value();
    };
    if (how.format == SourceFormat::alias) {
        read_alias_source(source.text, source.name, request.utf8() ? AliasText::utf8_only : AliasText::any, take);
        if (result)
            result = add_signatures(builder, how, request.config.get(config::params::myhostname));
    } else {
        read_text_source(source.text, source.name,
                         {.utf8 = request.utf8(), .values_are_files = how.table.values_are_files, .ignoring = {}},
                         [&](std::string_view key, std::string_view value, int) { return take(key, value); });
    }
    return result ? builder.finish() : result;
}

std::expected<Spec, std::string> spec_of(std::string_view text, const config::Config& config)
{
    return parse_spec(text, config.get(config::params::default_database_type));
}

void warn_about_empty_value(std::string_view spec, std::string_view key)
{
    log::warning("table {}: key {}: empty string result is not allowed", shown(spec), shown(key));
    log::warning("table {} should return NO RESULT in case of NOT FOUND", shown(spec));
}

std::expected<std::string, std::string> value_to_print(std::string_view spec, std::string_view key, std::string value,
                                                       const Maintenance& how)
{
    constexpr std::size_t kShownValue = 30;
    if (value.empty())
        warn_about_empty_value(spec, key);
    if (!how.table.values_are_files)
        return value;
    auto content = base64_decode(value);
    if (!content)
        return std::unexpected(fmt::format("table {}: key {}: malformed BASE64 value: {}", spec, key,
                                           std::string_view(value).substr(0, kShownValue)));
    return std::move(*content);
}

std::string_view pair_separator(const Maintenance& how)
{
    return how.format == SourceFormat::alias ? ":\t" : "\t";
}

} // namespace

std::expected<void, std::string> build_table(std::string_view text, const Maintenance& how,
                                             const config::Config& config)
{
    const auto spec = spec_of(text, config);
    if (!spec)
        return std::unexpected(spec.error());
    if (spec->type == "proxy")
        return std::unexpected("can't create maps via the proxy service");
    const auto source = open_source(spec->name, how.incremental);
    if (!source)
        return std::unexpected(source.error());

    // A source that belongs to a user is indexed with that user's rights.
    auto owner = EffectiveOwner::become(how.keep_root ? std::nullopt : std::optional(source->status));
    if (!owner)
        return std::unexpected(owner.error());
    const OpenRequest request{*spec, how.table, config};
    auto builder = open_builder(
        request,
        {.incremental = how.incremental, .duplicates = how.duplicates, .mode = mode_for(*source, how.inherit_mode)});
    if (!builder)
        return std::unexpected(builder.error());
    return fill(**builder, *source, request, how);
}

std::expected<bool, std::string> erase_from_tables(const std::vector<std::string>& specs, std::string_view key,
                                                   const Maintenance& how, const config::Config& config)
{
    bool found = false;
    for (const std::string& text : specs) {
        const auto spec = spec_of(text, config);
        if (!spec)
            return std::unexpected(spec.error());
        if (!find_driver(spec->type))
            return std::unexpected(fmt::format("unsupported dictionary type: {}", spec->type));
        if (spec->type == "fail")
            return std::unexpected(fmt::format("table {}: delete error: Application error", spec->text()));
        if (spec->type == "internal")
            continue;
        if (spec->type == "static" || spec->type == "environ")
            return std::unexpected(fmt::format("table {}: delete operation is not supported", spec->text()));
        if (!is_indexed_type(spec->type))
            return std::unexpected(fmt::format("{} map requires O_RDONLY access mode", spec->text()));
        const auto erased = erase_key({*spec, how.table, config}, key);
        if (!erased)
            return erased;
        found |= *erased;
    }
    return found;
}

std::expected<void, std::string> list_table(std::string_view text, const Maintenance& how, const config::Config& config)
{
    const auto spec = spec_of(text, config);
    if (!spec)
        return std::unexpected(spec.error());
    if (spec->type == "proxy")
        return std::unexpected("can't sequence maps via the proxy service");
    if (spec->type == "fail")
        return std::unexpected(fmt::format("table {}: sequence error: Application error", spec->text()));
    const auto table = try_open_table(text, how.table, config);
    if (!table)
        return std::unexpected(table.error());
    auto pairs = (*table)->list();
    if (!pairs)
        return std::unexpected(fmt::format("table {}: sequence error: {}", spec->text(), pairs.error().text));
    if (!*pairs)
        return std::unexpected(fmt::format("table {}: sequence operation is not supported", spec->text()));
    for (auto& [key, value] : **pairs) {
        if (key.empty())
            log::warning("table {}: empty lookup key value is not allowed", spec->text());
        const auto printed = value_to_print(spec->text(), key, std::move(value), how);
        if (!printed)
            return std::unexpected(printed.error());
        std::cout << key << pair_separator(how) << *printed << '\n';
    }
    std::cout.flush();
    return {};
}

TableQuery::TableQuery(std::vector<std::string> specs, const Maintenance& how, const config::Config& config)
    : specs_(std::move(specs)), tables_(specs_.size()), how_(how), config_(config)
{
}

std::expected<bool, std::string> TableQuery::ask(std::string_view key, Print print)
{
    for (std::size_t i = 0; i < specs_.size(); ++i) {
        if (!tables_[i]) {
            auto table = try_open_table(specs_[i], how_.table, config_);
            if (!table)
                return std::unexpected(table.error());
            tables_[i] = std::move(*table);
        }
        const std::string& spec = tables_[i]->spec();
        LookupResult result = tables_[i]->lookup(key);
        if (!result)
            return std::unexpected(fmt::format("table {}: query error{}{}", shown(spec),
                                               result.error().text.empty() ? "" : ": ", result.error().text));
        if (!*result)
            continue;
        const auto value = value_to_print(spec, key, std::move(**result), how_);
        if (!value)
            return std::unexpected(value.error());
        if (print == Print::pair)
            std::cout << key << pair_separator(how_);
        std::cout << *value << '\n' << std::flush;
        return true;
    }
    return false;
}

std::expected<bool, std::string>
for_each_input_line(const std::function<std::expected<bool, std::string>(std::string_view line)>& take)
{
    bool found = false;
    for (std::string line; std::getline(std::cin, line);) {
        const auto taken = take(line);
        if (!taken)
            return taken;
        found |= *taken;
    }
    return found;
}

} // namespace facteur::table
