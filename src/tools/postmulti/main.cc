// postmulti: one command for all instances of a machine, and their life from creation to removal. Source: postmulti(1).
#include "base/log.h"
#include "service/service.h"
#include "tools/postmulti/edit.h"
#include "tools/postmulti/iterate.h"
#include "tools/postmulti/process.h"

#include <sys/stat.h>

#include <cstdlib>

namespace {

using namespace facteur;

constexpr std::string_view kDefaultDirectory = "/etc/postfix";

int fail(std::string_view text)
{
    log::fatal("{}", text);
    log::flush();
    return 1;
}

} // namespace

int main(int argc, char** argv)
{
    ::umask(022);
    log::set_tag("postmulti");
    const auto options = postmulti::parse_options(argc, argv);
    if (!options)
        return fail(options.error());
    const config::Config primary = service::load_tool_config("postmulti", options->directory);
    service::set_tool_log(primary, "postmulti");
    log::set_verbosity(options->verbosity);
    // The variable is how one instance's commands know theirs: it is no choice of a primary instance.
    if (!options->directory && primary.directory() != kDefaultDirectory)
        return fail("Non-default configuration directory: MAIL_CONFIG=" + primary.directory());
    const auto instances = postmulti::load_instances(primary);
    if (!instances)
        return fail(instances.error());
    postmulti::export_shared(primary, options->verbosity);
    if (options->mode != postmulti::Mode::edit)
        return postmulti::iterate(primary, *instances, *options);
    const auto done = postmulti::edit(primary, *instances, *options);
    return done ? 0 : fail(done.error());
}
