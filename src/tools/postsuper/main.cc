// postsuper: what an administrator does to queued messages. Works on the files, running system or not, then tells the
// queue manager. Source: postsuper(1).
#include "base/log.h"
#include "base/text.h"
#include "ipc/blocking_channel.h"
#include "queue/recovery.h"
#include "service/instance.h"
#include "service/privileges.h"
#include "service/service.h"
#include "tools/postsuper/operations.h"
#include "tools/postsuper/structure.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <iostream>

namespace facteur {
namespace {

using config::Config;
using postsuper::Operation;
namespace params = config::params;

template <typename... Args>
[[noreturn]] void give_up(fmt::format_string<Args...> format, Args&&... args)
{
    log::fatal("{}", fmt::format(format, std::forward<Args>(args)...));
    log::flush();
    std::exit(1);
}

struct Request {
    Operation operation;
    std::string id; // or "ALL", or "-"
};

struct Options {
    std::optional<std::string> directory;
    std::vector<Request> requests;
    std::vector<std::string> queues;
    bool structure = false;
    bool purge = false;
    int verbosity = 0;
    bool wrong = false;
};

Options parse_options(int argc, char** argv)
{
    Options options;
    const auto request = [&options](Operation operation) { options.requests.push_back({operation, optarg}); };
    for (int option = 0; (option = ::getopt(argc, argv, "c:d:e:f:h:H:pr:sSv")) != -1;)
        switch (option) {
        case 'c':
            options.directory = optarg;
            break;
        case 'd':
            request(Operation::remove);
            break;
        case 'e':
            request(Operation::expire);
            break;
        case 'f':
            request(Operation::expire_and_release);
            break;
        case 'h':
            request(Operation::hold);
            break;
        case 'H':
            request(Operation::release);
            break;
        case 'r':
            request(Operation::requeue);
            break;
        case 'p':
            options.purge = true;
            break;
        case 's':
        case 'S':
            options.structure = true;
            break;
        case 'v':
            ++options.verbosity;
            break;
        default:
            options.wrong = true;
        }
    for (int i = optind; i < argc; ++i)
        options.queues.emplace_back(argv[i]);
    if (options.requests.empty() && !options.purge && !options.structure)
        options.purge = options.structure = true;
    return options;
}

// Files that we make or move must belong to the mail owner, whoever called.
void become_mail_owner(const Config& config)
{
    if (::geteuid() == 0) {
        const auto owner = service::find_account(config.get(params::mail_owner));
        if (!owner)
            give_up("file {}/main.cf: parameter mail_owner: unknown user name value: {}", config.directory(),
                    config.get(params::mail_owner));
        if (::setegid(owner->gid) != 0 || ::seteuid(owner->uid) != 0)
            give_up("cannot act as {}: {}", owner->name, errno_text(errno));
        return;
    }
    struct stat status{};
    if (::stat(".", &status) != 0 || status.st_uid != ::geteuid())
        give_up("use of this command is reserved for the superuser");
}

bool acceptable_id(std::string_view id)
{
    return !id.empty() && id.size() <= 64 && std::ranges::all_of(id, text::is_alnum);
}

void perform_one(postsuper::Operations& operations, Operation operation, const std::string& id,
                 const postsuper::QueueNames& queues)
{
    if (acceptable_id(id))
        operations.one(operation, id, queues);
    else
        log::warning("invalid mail queue id: {}", id);
}

void perform(postsuper::Operations& operations, const Request& request, const std::vector<std::string>& named_queues)
{
    const postsuper::QueueNames queues = named_queues.empty()
                                             ? postsuper::Operations::default_queues(request.operation)
                                             : postsuper::QueueNames(named_queues.begin(), named_queues.end());
    if (request.id == "ALL") {
        operations.all(request.operation, queues);
    } else if (request.id == "-") {
        for (std::string line; std::getline(std::cin, line);)
            perform_one(operations, request.operation, line, queues);
    } else {
        perform_one(operations, request.operation, request.id, queues);
    }
}

// A system that is not running will see the files when it starts.
void tell_queue_manager(const Config& config, const postsuper::Operations::Changes& changes)
{
    constexpr std::size_t kIdsPerMessage = 10'000;
    if (changes.empty())
        return;
    auto qmgr = ipc::BlockingChannel::connect("public/" + config.get(params::queue_service_name));
    if (!qmgr)
        return;
    for (const auto& [operation, ids] : changes)
        for (std::size_t start = 0; start < ids.size(); start += kIdsPerMessage) {
            ipc::QueueChange change;
            change.set_operation(operation);
            for (std::size_t i = start; i < std::min(ids.size(), start + kIdsPerMessage); ++i)
                change.add_queue_ids(ids[i]);
            ipc::Nothing reply;
            if (const auto told = qmgr->call(ipc::Method::queue_change, change, reply); !told) {
                log::warning("queue manager: {}: it finds the changes at its next scan", ipc::to_string(told.error()));
                return;
            }
        }
}

void summarize(const Options& options, const postsuper::Operations::Counts& counts)
{
    const auto asked = [&options](auto... operations) {
        return std::ranges::any_of(options.requests,
                                   [=](const Request& request) { return ((request.operation == operations) || ...); });
    };
    const auto say = [](std::string_view what, int count) {
        log::info("{}: {} message{}", what, count, count == 1 ? "" : "s");
    };
    if (asked(Operation::requeue))
        say("Requeued", counts.requeued);
    if (asked(Operation::remove))
        say("Deleted", counts.removed);
    if (asked(Operation::expire, Operation::expire_and_release))
        say("Force-expired", counts.expired);
    if (asked(Operation::hold))
        say("Placed on hold", counts.held);
    if (asked(Operation::release, Operation::expire_and_release))
        say("Released from hold", counts.released);
}

void check_queue_names(const std::vector<std::string>& queues)
{
    for (const auto& name : queues)
        if (std::ranges::find(postsuper::kStructuredQueues, name) == std::end(postsuper::kStructuredQueues))
            give_up("invalid directory name: {}", name);
}

void maintain(const Options& options, const queue::Spool& spool)
{
    std::vector<std::string_view> queues(options.queues.begin(), options.queues.end());
    if (queues.empty())
        queues.assign(std::begin(postsuper::kStructuredQueues), std::end(postsuper::kStructuredQueues));
    for (const auto queue : queues) {
        if (options.purge)
            postsuper::purge_leftovers(spool, queue);
        if (options.structure)
            postsuper::fix_structure(spool, queue);
    }
}

// No queue manager will note what is removed now, so nothing may be left in the journal that could bring it back.
void settle_journal(const queue::Spool& spool)
{
    if (const auto recovered = queue::recover(spool); !recovered && recovered.error().code != EBUSY)
        give_up("{}", recovered.error().message());
}

int run(int argc, char** argv)
{
    static char name[] = "postsuper"; // getopt(3) names the program in its messages
    argv[0] = name;
    const Options options = parse_options(argc, argv);
    if (options.directory && !options.directory->starts_with('/')) {
        log::set_tag("postsuper");
        give_up("-c requires absolute pathname");
    }
    const Config config = service::load_tool_config("postsuper", options.directory);
    if (::chdir(config.get(params::queue_directory).c_str()) != 0)
        give_up("chdir {}: {}", config.get(params::queue_directory), errno_text(errno));
    service::set_tool_log(config, "postsuper");
    if (options.wrong)
        give_up("usage: postsuper [-c config_dir] [-d queue_id (delete)] [-e queue_id (expire)] [-f queue_id (expire "
                "and/or un-hold)] "
                "[-h queue_id (hold)] [-H queue_id (un-hold)] [-p (purge temporary files)] [-r queue_id (requeue)] [-s "
                "(structure fix)] "
                "[-S (redundant structure fix)][-v (verbose)] [queue...]");
    log::set_verbosity(options.verbosity);
    check_queue_names(options.queues);
    const bool down = !service::running_master(config.get(params::queue_directory));
    become_mail_owner(config);

    const queue::Spool spool(config.get(params::hash_queue_names),
                             static_cast<int>(config.get(params::hash_queue_depth)));
    if (options.purge || options.structure)
        maintain(options, spool);
    if (down && !options.requests.empty())
        settle_journal(spool);
    postsuper::Operations operations(spool);
    for (const auto& request : options.requests)
        perform(operations, request, options.queues);
    tell_queue_manager(config, operations.changes());
    summarize(options, operations.counts());
    log::flush();
    return 0;
}

} // namespace
} // namespace facteur

int main(int argc, char** argv)
{
    return facteur::run(argc, argv);
}
