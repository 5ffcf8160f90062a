// postfix [-Dv] [-c config_dir] command: the administrator's one command. Source: postfix(1).
#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "config/check.h"
#include "service/service.h"
#include "tools/postfix/control.h"
#include "tools/postfix/reload.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>

namespace {

using namespace facteur;

// What commands that we run may ask for, as postfix(1) promises.
void export_environment(const config::Config& config)
{
    using namespace config::params;
    ::setenv("config_directory", config.directory().c_str(), 1);
    ::setenv("MAIL_LOGTAG", config.get(syslog_name).c_str(), 1);
    for (const auto* parameter :
         {&command_directory, &daemon_directory, &data_directory, &meta_directory, &queue_directory, &mail_owner,
          &setgid_group, &sendmail_path, &mailq_path, &newaliases_path, &html_directory, &manpage_directory,
          &readme_directory, &shlib_directory})
        ::setenv(std::string(parameter->name).c_str(), config.get(*parameter).c_str(), 1);
}

// Without -c and MAIL_CONFIG the command is for all instances, where there are several: multi_instance_wrapper knows
// them. Source: postfix-wrapper(5).
void run_wrapper(const config::Config& config, int argc, char** argv)
{
    const std::string& wrapper = config.get(config::params::multi_instance_wrapper);
    if (wrapper.empty() || config.get(config::params::multi_instance_directories).empty())
        return;
    std::vector<std::string> words;
    for (const auto word : text::split(wrapper, " \t\r\n"))
        words.emplace_back(word);
    for (int i = optind; i < argc; ++i)
        words.emplace_back(argv[i]);
    std::vector<char*> arguments;
    for (std::string& word : words)
        arguments.push_back(word.data());
    arguments.push_back(nullptr);
    ::execv(arguments[0], arguments.data());
    log::fatal("exec {}: {}", words[0], errno_text(errno));
    ::exit(1);
}

} // namespace

int main(int argc, char** argv)
{
    ::signal(SIGPIPE, SIG_IGN);
    ::signal(SIGHUP, SIG_IGN); // a parent that ends must not take us along
    ::umask(022);
    std::optional<std::string> directory;
    int verbosity = 0;
    bool debugger = false;
    int letter = 0;
    while ((letter = ::getopt(argc, argv, "+c:Dv")) > 0) {
        switch (letter) {
        case 'c':
            if (*optarg != '/') {
                fmt::print(stderr, "postfix: fatal: -c requires absolute pathname\n");
                return 1;
            }
            directory = optarg;
            break;
        case 'D':
            debugger = true;
            break;
        case 'v':
            ++verbosity;
            break;
        default:
            fmt::print(stderr, "postfix: fatal: usage: {} [-c config_dir] [-Dv] command\n", argv[0]);
            return 1;
        }
    }
    const bool one_instance = directory || std::getenv("MAIL_CONFIG") != nullptr;
    const std::string verb = optind < argc ? argv[optind] : "";
    if (verb == "reload") {
        const std::string place = config::configuration_directory(directory);
        log::set_tag("postfix");
        if (const auto loaded = config::Config::load(place); !loaded)
            return postfix_command::reload_refused(place, loaded.error());
    }
    const config::Config config = service::load_tool_config("postfix", directory);
    if (const auto wrong = config::check_log_file(config)) {
        log::fatal("{}", wrong->message());
        return 1;
    }
    service::set_script_log(config, config.get(config::params::syslog_name) + "/postfix-script");
    log::set_verbosity(verbosity);
    export_environment(config);
    if (verbosity > 0)
        ::setenv("MAIL_VERBOSE", "", 1);
    if (!one_instance)
        run_wrapper(config, argc, argv);
    // Only now: the wrapper calls this command once for each instance, and must not be taken for one of them.
    ::setenv("MAIL_CONFIG", config.directory().c_str(), 1);
    const postfix_command::Context context{
        config, {argv + std::min(optind + 1, argc), argv + argc}, verbosity, debugger};
    const int status = postfix_command::run_verb(verb, context);
    log::flush();
    return status;
}
