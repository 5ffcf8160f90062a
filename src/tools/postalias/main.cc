// postalias: indexes and queries alias tables. Source: postalias(1). Called as newaliases, it indexes alias_database.
#include "base/log.h"
#include "config/config.h"
#include "table/alias_source.h"
#include "table/maintenance.h"

#include <getopt.h>

#include <cstdlib>
#include <filesystem>
#include <span>

namespace {

using namespace facteur;

constexpr std::string_view kUsage =
    "usage: postalias [-Nfinoprsuvw] [-c config_dir] [-d key] [-q key] [map_type:]file...";

struct Command {
    table::Maintenance how;
    std::optional<std::string> config_directory;
    std::optional<std::string> query;
    std::optional<std::string> erase;
    bool list = false;
    std::vector<std::string> specs;
};

// True when the option is one that only sets how the tables are treated.
bool take_simple_option(int option, table::Maintenance& how)
{
    using TrailingNull = table::TableOptions::TrailingNull;
    switch (option) {
    case 'N':
        how.table.trailing_null = TrailingNull::with;
        return true;
    case 'n':
        how.table.trailing_null = TrailingNull::without;
        return true;
    case 'f':
        how.table.fold_keys = false;
        return true;
    case 'i':
        how.incremental = true;
        return true;
    case 'o':
        how.keep_root = true;
        return true;
    case 'p':
        how.inherit_mode = false;
        return true;
    case 'r':
        how.duplicates = table::Duplicates::replace;
        return true;
    case 'u':
        how.table.utf8_checks = false;
        return true;
    case 'v':
        log::set_verbosity(log::verbosity() + 1);
        return true;
    case 'w':
        how.duplicates = table::Duplicates::ignore;
        return true;
    default:
        return false;
    }
}

std::expected<Command, std::string> parse(int argc, char** argv)
{
    Command command;
    command.how.format = table::SourceFormat::alias;
    for (int option; (option = ::getopt(argc, argv, "+Nc:d:finopq:rsuvw")) > 0;) {
        const bool task = option == 'd' || option == 'q' || option == 's';
        if (task && (command.list || command.query || command.erase))
            return std::unexpected(option == 's' ? "specify only one of -s or -q or -d"
                                                 : "specify only one of -s -q or -d");
        if (option == 'c')
            command.config_directory = optarg;
        else if (option == 'd')
            command.erase = optarg;
        else if (option == 'q')
            command.query = optarg;
        else if (option == 's')
            command.list = true;
        else if (!take_simple_option(option, command.how))
            return std::unexpected(std::string(kUsage));
    }
    command.specs.assign(argv + optind, argv + argc);
    if (command.specs.empty())
        return std::unexpected(std::string(kUsage));
    return command;
}

// Whether the command did what it is for; for a query, whether it found something.
std::expected<bool, std::string> run(const Command& command, const config::Config& config)
{
    if (command.erase) {
        const auto erase = [&](std::string_view key) {
            return table::erase_from_tables(command.specs, key, command.how, config);
        };
        return *command.erase == "-" ? table::for_each_input_line(erase) : erase(*command.erase);
    }
    if (command.query) {
        table::TableQuery query(command.specs, command.how, config);
        if (*command.query != "-")
            return query.ask(*command.query, table::TableQuery::Print::value);
        return table::for_each_input_line(
            [&](std::string_view key) { return query.ask(key, table::TableQuery::Print::pair); });
    }
    for (const std::string& spec : command.specs) {
        const auto done =
            command.list ? table::list_table(spec, command.how, config) : table::build_table(spec, command.how, config);
        if (!done)
            return std::unexpected(done.error());
    }
    return true;
}

int fail(std::string_view why)
{
    log::fatal("{}", why);
    return EXIT_FAILURE;
}

} // namespace

int main(int argc, char** argv)
{
    const bool newaliases = std::filesystem::path(argv[0]).filename() == "newaliases";
    char name[] = "postalias";
    argv[0] = name; // getopt's messages begin with it
    log::set_tag(name);

    std::expected<Command, std::string> command;
    if (!newaliases)
        command = parse(argc, argv);
    if (!command)
        return fail(command.error());
    const auto config = config::Config::load(config::configuration_directory(command->config_directory));
    if (!config)
        return fail(config.error().message());
    if (newaliases) {
        const auto rebuilt = table::rebuild_alias_databases(*config);
        return rebuilt ? EXIT_SUCCESS : fail(rebuilt.error());
    }
    const auto done = run(*command, *config);
    if (!done)
        return fail(done.error());
    return *done ? EXIT_SUCCESS : EXIT_FAILURE;
}
