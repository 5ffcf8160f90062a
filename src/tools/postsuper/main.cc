// postsuper: what an administrator does to queued messages. Works on the files, running system or not, then tells the
// queue manager. Source: postsuper(1).
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "ipc/make_files.h"
#include "queue/recovery.h"
#include "queue/trash.h"
#include "service/instance.h"
#include "service/privileges.h"
#include "service/service.h"
#include "tools/postsuper/chooser.h"
#include "tools/postsuper/notices.h"
#include "tools/postsuper/operations.h"
#include "tools/postsuper/options.h"
#include "tools/postsuper/rules.h"
#include "tools/postsuper/structure.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <iostream>

namespace facteur {
namespace {

using config::Config;
using postsuper::Mode;
using postsuper::Operation;
using postsuper::Options;
using postsuper::Request;
namespace params = config::params;

template <typename... Args>
[[noreturn]] void give_up(fmt::format_string<Args...> format, Args&&... args)
{
    log::fatal("{}", fmt::format(format, std::forward<Args>(args)...));
    log::flush();
    std::exit(1);
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
    return !id.empty() && id.size() <= 250 && std::ranges::all_of(id, text::is_alnum);
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
    if (request.id == "ALL" || request.id.empty()) {
        operations.all(request.operation, queues);
    } else if (request.id == "-") {
        for (std::string line; std::getline(std::cin, line);)
            perform_one(operations, request.operation, line, queues);
    } else {
        perform_one(operations, request.operation, request.id, queues);
    }
}

struct CountLine {
    std::string_view done;    // "Deleted"
    std::string_view planned; // "Would delete"
    std::string_view name;    // in JSON
    int count;
    bool asked;
};

// A line for each kind of operation that was asked for, in Postfix's order.
std::vector<CountLine> count_lines(const Options& options, const postsuper::Operations::Counts& counts)
{
    const auto asked = [&options](auto... operations) {
        return std::ranges::any_of(options.requests,
                                   [=](const Request& request) { return ((request.operation == operations) || ...); });
    };
    std::vector<CountLine> lines{
        {"Requeued", "Would requeue", "requeued", counts.requeued, asked(Operation::requeue)},
        {"Deleted", "Would delete", "deleted", counts.removed, asked(Operation::remove)},
        {"Force-expired", "Would force-expire", "expired", counts.expired,
         asked(Operation::expire, Operation::expire_and_release)},
        {"Placed on hold", "Would place on hold", "held", counts.held, asked(Operation::hold)},
        {"Released from hold", "Would release from hold", "released", counts.released,
         asked(Operation::release, Operation::expire_and_release)},
    };
    std::erase_if(lines, [](const CountLine& line) { return !line.asked; });
    return lines;
}

void summarize(const Options& options, const postsuper::Operations::Counts& counts, std::size_t undecided)
{
    const auto lines = count_lines(options, counts);
    for (const auto& line : lines)
        if (options.mode == Mode::perform)
            log::info("{}: {} message{}", line.done, line.count, line.count == 1 ? "" : "s");
        else
            fmt::print(stderr, "postsuper: {}: {} message{}\n", line.planned, line.count, line.count == 1 ? "" : "s");
    if (undecided > 0)
        log::warning("{} message{} left alone: what --where asks is not known of {}", undecided,
                     undecided == 1 ? "" : "s", undecided == 1 ? "it" : "them");
    if (!options.json)
        return;
    fmt::print("{{\"dry_run\": {}, \"undecided\": {}", options.mode == Mode::rehearse ? "true" : "false", undecided);
    for (const auto& line : lines)
        fmt::print(", \"{}\": {}", line.name, line.count);
    fmt::print("}}\n");
}

std::string_view operation_name(Operation operation)
{
    switch (operation) {
    case Operation::requeue:
        return "requeue";
    case Operation::remove:
        return "delete";
    case Operation::expire:
        return "expire";
    case Operation::expire_and_release:
        return "expire_and_release";
    case Operation::hold:
        return "hold";
    case Operation::release:
        return "release";
    }
    return "";
}

void print_deed(const Options& options, Operation operation, std::string_view queue, const std::string& id)
{
    if (options.json)
        fmt::print("{{\"queue_id\": {}, \"queue_name\": {}, \"operation\": \"{}\"}}\n", json_string(id),
                   json_string(queue), operation_name(operation));
    else
        fmt::print("{}\n", id);
}

// Damaged messages have no place of their own in Postfix's list, but deleting them is a fair wish.
void check_queue_names(const Options& options)
{
    const bool only_delete = !options.requests.empty() && !options.purge && !options.structure &&
                             std::ranges::all_of(options.requests, [](const Request& request) {
                                 return request.operation == Operation::remove;
                             });
    for (const auto& name : options.queues)
        if (std::ranges::find(postsuper::kStructuredQueues, name) == std::end(postsuper::kStructuredQueues) &&
            !(only_delete && name == queue::kCorrupt))
            give_up("invalid directory name: {}", name);
}

// Who names a directory of logs got what Postfix does, nothing; they rarely meant that.
void explain_log_queues(const Options& options)
{
    for (const auto& name : options.queues)
        if (!options.requests.empty() &&
            (name == queue::kBounce || name == queue::kDefer || name == queue::kTrace || name == "flush"))
            fmt::print(stderr,
                       "postsuper: note: {} has logs of messages, no messages. For {} name the queue deferred{}\n",
                       name, name == queue::kBounce ? "bounces that cannot be delivered" : "the messages themselves",
                       name == queue::kBounce ? ", or select them: --where 'sender = <>'" : "");
}

void maintain(const Options& options, const queue::Spool& spool)
{
    std::vector<std::string_view> queues(options.queues.begin(), options.queues.end());
    if (queues.empty())
        queues.assign(std::begin(postsuper::kStructuredQueues), std::end(postsuper::kStructuredQueues));
    for (const auto queue : queues) {
        if (options.purge)
            postsuper::purge_leftovers(spool, queue, options.mode);
        if (options.structure)
            postsuper::fix_structure(spool, queue, options.mode);
    }
}

// No queue manager will note what is removed now, so nothing may be left in the journal that could bring it back.
void settle_journal(const queue::Spool& spool)
{
    if (const auto recovered = queue::recover(spool); !recovered && recovered.error().code != EBUSY)
        give_up("{}", recovered.error().message());
}

std::optional<queue::Selection> parse_where(const Options& options)
{
    if (!options.where)
        return std::nullopt;
    auto selection = queue::Selection::parse(*options.where);
    if (!selection) {
        fmt::print(stderr, "postsuper: --where: {}", selection.error().show(*options.where));
        give_up("the selection is not understood");
    }
    return std::move(*selection);
}

void operate(const Config& config, const Options& options, const queue::Spool& spool)
{
    const auto where = parse_where(options);
    std::optional<postsuper::Chooser> chooser;
    postsuper::Notices notices("public/" + config.get(params::queue_service_name));
    postsuper::Operations::Plan plan{.mode = options.mode, .chosen = {}, .each = {}, .changed = {}};
    plan.trash = options.mode == Mode::perform && notices.heard();
    plan.changed = [&notices](ipc::QueueChange::Operation change, const std::string& id) {
        notices.changed(change, id);
    };
    if (where) {
        chooser.emplace(*where, spool, "private/" + config.get(params::rewrite_service_name), std::time(nullptr));
        plan.chosen = [&chooser](std::string_view queue, const std::string& id) { return chooser->chosen(queue, id); };
        if (options.mode == Mode::perform)
            log::info("selected messages: {}", *options.where);
    }
    if (options.json || options.mode == Mode::rehearse)
        plan.each = [&options](Operation operation, std::string_view queue, const std::string& id) {
            print_deed(options, operation, queue, id);
        };
    if (!options.requests.empty())
        ipc::make_queue_files("public/" + config.get(params::queue_service_name));
    postsuper::Operations operations(spool, std::move(plan));
    for (const auto& request : options.requests)
        perform(operations, request, options.queues);
    if (operations.trash_filled())
        notices.trash_filled();
    if (!notices.finish() && operations.trash_filled())
        if (const auto emptied = queue::empty_trash(spool, {}); !emptied)
            log::warning("{}", emptied.error().message());
    summarize(options, operations.counts(), chooser ? chooser->undecided() : 0);
}

constexpr std::string_view kUsage =
    "usage: postsuper [-c config_dir] [-d queue_id (delete)] [-e queue_id (expire)] [-f queue_id (expire and/or "
    "un-hold)] [-h queue_id (hold)] [-H queue_id (un-hold)] [-p (purge temporary files)] [-r queue_id (requeue)] [-s "
    "(structure fix)] [-S (redundant structure fix)][-v (verbose)] [queue...]";

int run(int argc, char** argv)
{
    static char name[] = "postsuper"; // getopt(3) names the program in its messages
    argv[0] = name;
    const Options options = postsuper::parse_options(argc, argv);
    log::set_tag("postsuper");
    if (options.directory && !options.directory->starts_with('/'))
        give_up("-c requires absolute pathname");
    // Said before the log is opened: a slip of the fingers is nothing to keep.
    if (options.wrong)
        give_up("{}", kUsage);
    if (!options.problem.empty())
        give_up("{}", options.problem);
    const Config config = service::load_tool_config("postsuper", options.directory);
    if (::chdir(config.get(params::queue_directory).c_str()) != 0)
        give_up("chdir {}: {}", config.get(params::queue_directory), errno_text(errno));
    service::set_tool_log(config, "postsuper");
    log::set_verbosity(options.verbosity);
    check_queue_names(options);
    const bool down = !service::running_master(config.get(params::queue_directory));
    become_mail_owner(config);
    if (options.rules.any()) {
        if (const auto failure = postsuper::manage_rules(options, config.get(params::data_directory))) {
            fmt::print(stderr, "{}", failure->details);
            give_up("{}", failure->problem);
        }
        log::flush();
        return 0;
    }

    const queue::Spool spool(config.get(params::hash_queue_names),
                             static_cast<int>(config.get(params::hash_queue_depth)));
    if (options.purge || options.structure)
        maintain(options, spool);
    if (down && !options.requests.empty() && options.mode == Mode::perform)
        settle_journal(spool);
    if (!options.requests.empty())
        operate(config, options, spool);
    explain_log_queues(options);
    log::flush();
    return 0;
}

} // namespace
} // namespace facteur

int main(int argc, char** argv)
{
    return facteur::run(argc, argv);
}
