// postmap: indexes, queries and lists lookup tables. Source: postmap(1).
#include "base/log.h"
#include "config/config.h"
#include "message_keys.h"
#include "table/maintenance.h"

#include <getopt.h>

#include <cstdlib>
#include <iostream>

namespace {

using namespace facteur;

constexpr std::string_view kUsage =
    "usage: postmap [-bfFhimnNoprsuUvw] [-c config_dir] [-d key] [-q key] [map_type:]file...";

struct Command {
    table::Maintenance how;
    postmap::MessageKeys message;
    bool force_utf8 = false;
    std::optional<std::string> config_directory;
    std::optional<std::string> query;
    std::optional<std::string> erase;
    bool list = false;
    std::vector<std::string> specs;
};

// True when the option is one that only sets how things are done.
bool take_simple_option(int option, Command& command)
{
    using TrailingNull = table::TableOptions::TrailingNull;
    table::Maintenance& how = command.how;
    switch (option) {
    case 'b':
        command.message.body = true;
        return true;
    case 'h':
        command.message.headers = true;
        return true;
    case 'm':
        command.message.mime = true;
        return true;
    case 'U':
        command.force_utf8 = true;
        return true;
    case 'F':
        how.table.values_are_files = true;
        return true;
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

std::expected<void, std::string> check(Command& command)
{
    postmap::MessageKeys& message = command.message;
    if ((message.headers || message.body) && command.query != "-")
        return std::unexpected("specify -b -h or -m only with \"-q -\"");
    if (message.mime && !message.headers && !message.body) {
        log::warning("ignoring -m option without -b or -h");
        message.mime = false;
    }
    // The lines of a message are in any character set.
    if ((message.headers || message.body) && !command.force_utf8)
        command.how.table.utf8_checks = false;
    if (command.specs.empty())
        return std::unexpected(std::string(kUsage));
    return {};
}

std::expected<Command, std::string> parse(int argc, char** argv)
{
    Command command;
    for (int option; (option = ::getopt(argc, argv, "+bc:d:fFhimnNopq:rsuUvw")) > 0;) {
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
        else if (!take_simple_option(option, command))
            return std::unexpected(std::string(kUsage));
    }
    command.specs.assign(argv + optind, argv + argc);
    if (const auto checked = check(command); !checked)
        return std::unexpected(checked.error());
    return command;
}

std::expected<bool, std::string> query_message(table::TableQuery& query, const postmap::MessageKeys& wanted)
{
    std::expected<bool, std::string> found = false;
    postmap::MessageCutter cutter(wanted, [&](std::string_view key) {
        if (!found)
            return;
        const auto answered = query.ask(key, table::TableQuery::Print::pair);
        if (!answered)
            found = answered;
        else
            *found |= *answered;
    });
    for (std::string line; found && std::getline(std::cin, line);)
        cutter.line(line);
    cutter.finish();
    return found;
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
        if (command.message.headers || command.message.body)
            return query_message(query, command.message);
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
    char name[] = "postmap";
    argv[0] = name; // getopt's messages begin with it
    log::set_tag(name);

    const auto command = parse(argc, argv);
    if (!command)
        return fail(command.error());
    const auto config = config::Config::load(config::configuration_directory(command->config_directory));
    if (!config)
        return fail(config.error().message());
    const auto done = run(*command, *config);
    if (!done)
        return fail(done.error());
    return *done ? EXIT_SUCCESS : EXIT_FAILURE;
}
