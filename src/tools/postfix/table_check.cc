#include "tools/postfix/table_check.h"

#include "base/text.h"
#include "config/master_cf.h"
#include "mail/rewrite.h"
#include "table/table.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <set>

namespace facteur::postfix_command {

namespace {

using config::Config;
using config::MasterEntry;
using config::Problem;

constexpr off_t kListLimit = 16 << 20; // bytes of a table that is read whole to see what it names
constexpr int kNesting = 10;

// Types that Postfix has and that this build may lack.
constexpr auto kForeignTypes =
    std::to_array<std::string_view>({"cdb", "dbm", "ldap", "memcache", "mongodb", "mysql", "netinfo", "nis", "nisplus",
                                     "pgsql", "sdbm", "socketmap", "sqlite", "tcp"});

// Parameters whose tables give "transport:nexthop".
constexpr auto kTransportTables =
    std::to_array<std::string_view>({"transport_maps", "mailbox_transport_maps", "fallback_transport_maps",
                                     "sender_dependent_default_transport_maps", "address_verify_transport_maps"});

enum class SpecKind { none, table, foreign };

// "unix:passwd.byname" is a table, "unix:private/auth" a socket.
SpecKind kind_of(std::string_view word)
{
    const auto type = word.substr(0, word.find(':'));
    const auto name = word.substr(std::min(type.size() + 1, word.size()));
    if (type.size() == word.size() || name.empty() || (type == "unix" && !name.ends_with(".byname")))
        return SpecKind::none;
    static const auto types = table::table_types();
    if (std::ranges::binary_search(types, type))
        return SpecKind::table;
    return std::ranges::find(kForeignTypes, type) != kForeignTypes.end() ? SpecKind::foreign : SpecKind::none;
}

class TableChecker {
public:
    explicit TableChecker(const Config& config) : config_(config)
    {
        if (auto entries = config::load_master_cf(config))
            entries_ = std::move(*entries);
    }

    std::vector<Problem> run()
    {
        for (const auto& name : config_.explicit_names()) {
            const int line = config_.line_of(name);
            check_value({line > 0 ? config_.directory() + "/main.cf" : "", line, ""}, name,
                        config_.value(name).value_or(""));
        }
        // The one table that is in use without being named.
        if (!config_.explicit_text("alias_maps") && !config_.get(config::params::mydestination).empty() &&
            config::find_transport(entries_, "local") != nullptr)
            check_value({}, "alias_maps", config_.get(config::params::alias_maps));
        for (const MasterEntry& entry : entries_)
            for (const auto& [name, text] : entry.overrides())
                if (const auto value = config_.expand(text))
                    check_value({config_.directory() + "/master.cf", entry.line, ""}, name, *value);
        return std::move(problems_);
    }

private:
    void blame(const Problem& place, std::string text)
    {
        problems_.push_back({place.file, place.line, std::move(text)});
    }

    void check_value(const Problem& place, std::string_view name, std::string_view value, int depth = 0)
    {
        const auto* parameter = config::find_parameter(name);
        if (value.find(':') == value.npos || depth > kNesting ||
            (parameter != nullptr && parameter->status == config::Status::planned))
            return;
        for (const auto word : text::split_list(value)) {
            if (word.find_first_of(" \t{") != word.npos && kind_of(word) == SpecKind::none) {
                check_value(place, name, word, depth + 1);
                continue;
            }
            const auto bare = word.starts_with('!') ? word.substr(1) : word;
            if (kind_of(bare) == SpecKind::foreign)
                blame(place, fmt::format("{} = {}: table type {} is not available (postconf -m lists those that are)",
                                         name, value, bare.substr(0, bare.find(':'))));
            else if (kind_of(bare) == SpecKind::table)
                check_table(place, name, bare);
        }
    }

    void check_table(const Problem& place, std::string_view name, std::string_view spec)
    {
        const bool transports = std::ranges::find(kTransportTables, name) != kTransportTables.end();
        if (!opened_.insert(std::string(spec)).second && !transports)
            return;
        const auto table = table::try_open_table(spec, {}, config_);
        if (!table) {
            const auto type = spec.substr(0, spec.find(':'));
            const bool built = type == "hash" || type == "btree" || type == "lmdb";
            blame(place, fmt::format("{} = {}: {}{}", name, spec, table.error(),
                                     built ? fmt::format("; {} {} makes it",
                                                         name.starts_with("alias_") ? "postalias" : "postmap", spec)
                                           : std::string()));
        } else if (transports && small_enough(spec)) {
            check_named_transports(place, name, **table);
        }
    }

    static bool small_enough(std::string_view spec)
    {
        const std::string path(spec.substr(spec.find(':') + 1));
        struct stat found{};
        for (const std::string& each : {path, path + ".lmdb"})
            if (::stat(each.c_str(), &found) == 0 && found.st_size > kListLimit)
                return false;
        return true;
    }

    void check_named_transports(const Problem& place, std::string_view name, table::Table& table)
    {
        const auto pairs = table.list();
        if (!pairs || !*pairs)
            return;
        std::set<std::string> said;
        for (const auto& [key, value] : **pairs) {
            const std::string service(mail::split_transport(value).transport);
            if (!service.empty() && !text::iequals(service, "DUNNO") &&
                config::find_transport(entries_, service) == nullptr && said.insert(service).second)
                blame(place, fmt::format("{} = {}: entry \"{} {}\": master.cf has no service {}/unix", name,
                                         table.spec(), key, value, service));
        }
    }

    const Config& config_;
    std::vector<MasterEntry> entries_;
    std::vector<Problem> problems_;
    std::set<std::string, std::less<>> opened_;
};

} // namespace

std::vector<Problem> check_tables(const Config& config)
{
    return TableChecker(config).run();
}

} // namespace facteur::postfix_command
