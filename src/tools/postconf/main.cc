#include "base/log.h"
#include "config/config.h"
#include "tools/postconf/edit.h"
#include "tools/postconf/instance.h"
#include "tools/postconf/lists.h"
#include "tools/postconf/options.h"
#include "tools/postconf/show.h"
#include "tools/postconf/templates.h"

#include <cstdio>

using namespace facteur;
using namespace facteur::postconf;

namespace {

Result change(const std::string& directory, const Options& options)
{
    if (options.arguments.empty())
        return std::unexpected(options.has(edit) ? "-e requires name=value argument" : "missing service argument");
    if (auto good = check_edit_arguments(options); !good)
        return good;
    return options.has(main_parameters) ? edit_main(directory, options) : edit_master(directory, options);
}

Result show(const std::string& directory, const Options& options)
{
    Instance instance(directory);
    const bool of_main = options.has(main_parameters);
    if (!options.has(defaults))
        if (auto good = instance.read_main(options); !good)
            return good;
    if (auto good = instance.read_master(!of_main); !good)
        return good;
    if (!options.has(defaults))
        if (auto good = instance.know_names(); !good)
            return good;
    if (auto good = of_main ? show_main(instance, options) : show_master(instance, options); !good)
        return good;
    std::fflush(stdout);
    if (!options.has(defaults | quiet)) {
        if (of_main)
            instance.warn_unused_main();
        instance.warn_unused_master();
    }
    return {};
}

Result run(const Options& options)
{
    const auto directory = config::configuration_directory(options.directory);
    if (options.has(edit | exclude | comment_out))
        return change(directory, options);
    if (options.has(main_parameters | master_entries | master_fields | master_parameters))
        return show(directory, options);
    if (options.has(dump_templates | expand_templates))
        return show_templates(directory, options);
    if (options.has(tls))
        return show_tls(options.tls_mode) ? Result() : std::unexpected("");
    list_capabilities(options);
    return {};
}

} // namespace

int main(int argc, char** argv)
{
    log::set_tag("postconf");
    const auto options = parse_options(argc, argv);
    const auto good = options ? run(*options) : std::unexpected(options.error());
    if (!good) {
        std::fflush(stdout);
        if (!good.error().empty())
            log::fatal("{}", good.error());
        return 1;
    }
    return std::fflush(stdout) == 0 ? 0 : 1;
}
