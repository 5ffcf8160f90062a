// postlog [-iv] [-c config_dir] [-p priority] [-t tag] [text...]: the mail log for shell scripts. Source: postlog(1).
#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "service/log_sinks.h"
#include "service/service.h"
#include "service/user_rights.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iostream>
#include <optional>

namespace {

using namespace facteur;
using log::Severity;

struct Priority {
    std::string_view name;
    Severity severity;
};
constexpr auto kPriorities = std::to_array<Priority>({{"info", Severity::info},
                                                      {"warn", Severity::warning},
                                                      {"warning", Severity::warning},
                                                      {"error", Severity::error},
                                                      {"err", Severity::error},
                                                      {"fatal", Severity::fatal},
                                                      {"crit", Severity::fatal},
                                                      {"panic", Severity::panic}});

struct Options {
    std::optional<std::string> directory;
    std::optional<std::string> tag;
    std::string priority = "info";
    int verbosity = 0;
};

[[noreturn]] void die(std::string_view text)
{
    log::fatal("{}", text);
    log::flush();
    ::exit(1);
}

Options parse(int argc, char** argv)
{
    Options out;
    int letter = 0;
    while ((letter = ::getopt(argc, argv, "c:ip:t:v")) > 0) {
        switch (letter) {
        case 'c':
            out.directory = optarg;
            break;
        case 'i':
            break; // the process id is always there
        case 'p':
            out.priority = optarg;
            break;
        case 't':
            out.tag = optarg;
            break;
        case 'v':
            ++out.verbosity;
            break;
        default:
            die(fmt::format("usage: {} [-c config_dir] [-i] [-p priority] [-t tag] [-v] [text]", argv[0]));
        }
    }
    return out;
}

std::string join(int argc, char** argv)
{
    std::string out;
    for (int i = optind; i < argc; ++i)
        out.append(i > optind ? " " : "").append(argv[i]);
    return out;
}

} // namespace

int main(int argc, char** argv)
{
    log::set_tag("postlog");
    const Options options = parse(argc, argv);
    const std::string directory = config::configuration_directory(options.directory);
    if (const auto allowed = service::authorize_directory(directory); !allowed) {
        log::error("{}", allowed.error().error);
        die(allowed.error().fatal);
    }
    const config::Config config = service::load_tool_config("postlog", directory);
    service::set_script_log(config, options.tag.value_or(config.get(config::params::syslog_name) + "/postlog"));
    log::set_verbosity(options.verbosity);
    const auto priority = std::ranges::find_if(
        kPriorities, [&](const Priority& each) { return text::iequals(each.name, options.priority); });
    if (priority == kPriorities.end())
        die("bad logging severity level: " + options.priority);
    if (optind < argc) {
        log::write(priority->severity, join(argc, argv));
    } else {
        for (std::string line; std::getline(std::cin, line);)
            log::write(priority->severity, line);
    }
    log::flush();
    if (priority->severity == Severity::fatal || priority->severity == Severity::panic)
        ::sleep(1); // a script that fails in a loop must not fill the log
    return 0;
}
