// postqueue: lists the queue, and asks for delivery now. Unprivileged: everything goes through showq, qmgr and flush.
// Source: postqueue(1).
#include "base/log.h"
#include "base/text.h"
#include "ipc/blocking_channel.h"
#include "ipc/messages.pb.h"
#include "ipc/queue_listing.h"
#include "net/address.h"
#include "queue/queue_id.h"
#include "queue/selection.h"
#include "service/privileges.h"
#include "service/service.h"
#include "service/user_rights.h"
#include "table/user_list.h"
#include "tools/postqueue/explain.h"
#include "tools/postqueue/listing.h"

#include <getopt.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace facteur {
namespace {

using config::Config;
namespace params = config::params;

template <typename... Args>
[[noreturn]] void give_up(fmt::format_string<Args...> format, Args&&... args)
{
    std::fflush(stdout);
    log::fatal("{}", fmt::format(format, std::forward<Args>(args)...));
    log::flush();
    std::exit(EX_UNAVAILABLE);
}

enum class Action { none, list, list_json, flush_all, flush_site, flush_id, explain };

struct Options {
    Action action = Action::none;
    std::string argument;
    std::optional<std::string> where;
    std::optional<std::string> directory;
    int verbosity = 0;
    bool json = false;          // of --explain
    bool expire_letter = false; // -e, which belongs to postsuper
    bool wrong = false;         // more than one action, an unknown option, a stray argument

    void choose(Action chosen, const char* value = "")
    {
        wrong |= action != Action::none;
        action = chosen;
        argument = value;
    }
};

enum LongOption { kWhere = 256, kExplain, kJson };
constexpr option kLongOptions[] = {{"where", required_argument, nullptr, kWhere},
                                   {"explain", required_argument, nullptr, kExplain},
                                   {"json", no_argument, nullptr, kJson},
                                   {nullptr, 0, nullptr, 0}};

Options parse_options(int argc, char** argv)
{
    Options options;
    for (int option = 0; (option = ::getopt_long(argc, argv, "c:efi:jps:v", kLongOptions, nullptr)) != -1;)
        switch (option) {
        case kWhere:
            options.where = optarg;
            break;
        case kExplain:
            options.choose(Action::explain, optarg);
            break;
        case kJson:
            options.json = true;
            break;
        case 'e':
            options.expire_letter = true;
            break;
        case 'c':
            options.directory = optarg;
            break;
        case 'f':
            options.choose(Action::flush_all);
            break;
        case 'i':
            options.choose(Action::flush_id, optarg);
            break;
        case 'j':
            options.choose(Action::list_json);
            break;
        case 'p':
            options.choose(Action::list);
            break;
        case 's':
            options.choose(Action::flush_site, optarg);
            break;
        case 'v':
            ++options.verbosity;
            break;
        default:
            options.wrong = true;
        }
    if (options.action == Action::none && (options.where || options.expire_letter))
        options.action = options.json ? Action::list_json : Action::list;
    if (options.action == Action::list && options.json)
        options.action = Action::list_json;
    const bool lists = options.action == Action::list || options.action == Action::list_json;
    options.wrong |= optind < argc || options.action == Action::none || (options.where && !lists) ||
                     (options.expire_letter && !lists) || (options.json && !lists && options.action != Action::explain);
    return options;
}

// authorized_mailq_users and authorized_flush_users. root and the mail owner always may.
void check_allowed(const Config& config, const config::StringParameter& users, std::string_view purpose)
{
    const uid_t uid = ::getuid();
    const auto owner = service::find_account(config.get(params::mail_owner));
    if (uid == 0 || (owner && owner->uid == uid))
        return;
    const std::string name = service::login_name().value_or("unknown");
    const auto allowed = table::user_is_listed(name, users, config);
    if (!allowed)
        give_up("{}: {}", users.name, allowed.error());
    if (!*allowed)
        give_up("User {}({}) is not allowed to {} the mail queue", name, uid, purpose);
}

bool owns_queue()
{
    struct stat status{};
    return ::geteuid() == 0 || (::stat(".", &status) == 0 && status.st_uid == ::geteuid());
}

// showq without master, at the other end of a socket pair: how the superuser sees the queue of a stopped system.
struct OwnShowq {
    pid_t pid = -1;
    UniqueFd fd;
};
OwnShowq start_showq(const Config& config)
{
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        give_up("socketpair: {}", errno_text(errno));
    OwnShowq showq{::fork(), UniqueFd(ends[0])};
    if (showq.pid < 0)
        give_up("fork: {}", errno_text(errno));
    if (showq.pid == 0) {
        const std::string program = config.get(params::daemon_directory) + "/showq";
        ::dup2(ends[1], STDIN_FILENO);
        ::execl(program.c_str(), "showq", "-u", "-S", nullptr);
        fmt::print(stderr, "postqueue: fatal: execute {}: {}\n", program, errno_text(errno));
        ::_exit(EX_UNAVAILABLE);
    }
    ::close(ends[1]);
    return showq;
}

// Asks showq, and where nobody listens one of our own.
class Showq {
public:
    explicit Showq(const Config& config)
        : service_(ipc::BlockingChannel::connect("public/" + config.get(params::showq_service_name)))
    {
        if (service_)
            return;
        const std::string why = fmt::format("Connect to the {} {} service: {}", config.get(params::mail_name),
                                            config.get(params::showq_service_name), errno_text(service_.error().code));
        if (!owns_queue())
            give_up("Queue report unavailable - mail system is down ({})", why);
        log::warning("Mail system is down -- accessing queue directly ({})", why);
        own_ = start_showq(config);
        direct_.emplace(std::move(own_.fd));
    }
    ~Showq()
    {
        direct_.reset();
        if (own_.pid > 0)
            ::waitpid(own_.pid, nullptr, 0);
    }
    Showq(const Showq&) = delete;
    Showq& operator=(const Showq&) = delete;
    ipc::BlockingChannel& operator*() { return direct_ ? *direct_ : *service_; }

private:
    std::expected<ipc::BlockingChannel, SystemError> service_;
    OwnShowq own_;
    std::optional<ipc::BlockingChannel> direct_;
};

void print(std::string_view text)
{
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size())
        give_up("output write error: {}", errno_text(errno));
}

// Prints every message; false when the conversation broke off. Says how many were left out undecided.
template <typename Listing>
bool print_all(ipc::BlockingChannel& showq, const std::optional<std::string>& where, Listing& listing)
{
    constexpr std::size_t kAtOnce = 64 << 10; // as much as a pipe takes
    ipc::ListRequest request;
    request.set_with_recipients(true);
    request.set_where(where.value_or(""));
    std::string out;
    const auto undecided = ipc::read_listing(showq, std::move(request), [&](ipc::ListPage& page) {
        listing.begin_page();
        while (page.next()) {
            listing.append(out, page);
            if (out.size() >= kAtOnce) {
                print(out);
                out.clear();
            }
        }
    });
    print(out);
    if (undecided && *undecided > 0)
        log::warning("{} message{} not shown: what --where asks is not known of {}", *undecided,
                     *undecided == 1 ? "" : "s", *undecided == 1 ? "it" : "them");
    return undecided.has_value();
}

void end_output()
{
    if (std::fflush(stdout) != 0)
        give_up("output write error: {}", errno_text(errno));
}

bool list_from(ipc::BlockingChannel& showq, const Config& config, const Options& options)
{
    if (options.action == Action::list_json) {
        postqueue::JsonListing listing;
        return print_all(showq, options.where, listing);
    }
    postqueue::TraditionalListing listing(config.get(params::enable_long_queue_ids) ? postqueue::IdWidth::long_ids
                                                                                    : postqueue::IdWidth::short_ids);
    if (!print_all(showq, options.where, listing))
        return false;
    print(options.where && listing.empty() ? "No such message\n" : listing.end());
    return true;
}

void list(const Config& config, const Options& options)
{
    check_allowed(config, params::authorized_mailq_users, "view");
    if (options.where)
        if (const auto selection = queue::Selection::parse(*options.where); !selection) {
            fmt::print(stderr, "postqueue: --where: {}", selection.error().show(*options.where));
            give_up("the selection is not understood");
        }
    Showq showq(config);
    if (!list_from(*showq, config, options))
        give_up("malformed showq server response");
    end_output();
}

void explain(const Config& config, const Options& options)
{
    check_allowed(config, params::authorized_mailq_users, "view");
    if (!queue::valid_queue_id(options.argument))
        give_up("Cannot explain queue ID - invalid name: \"{}\"", text::printable(options.argument));
    Showq showq(config);
    ipc::ExplainRequest request;
    request.set_queue_id(options.argument);
    ipc::ExplainReply reply;
    if (!(*showq).call(ipc::Method::explain, request, reply))
        give_up("malformed showq server response");
    if (!reply.known())
        give_up("{}: no such message in the queue: it was delivered, returned or deleted; the log tells which",
                options.argument);
    const auto whole = [](auto time) { return std::chrono::duration_cast<std::chrono::seconds>(time).count(); };
    const postqueue::Lifetimes lifetimes{whole(config.get(params::maximal_queue_lifetime)),
                                         whole(config.get(params::bounce_queue_lifetime))};
    const std::int64_t now = std::time(nullptr);
    print(options.json ? explain_json(reply, lifetimes, now) : explain_text(reply, lifetimes, now));
    end_output();
}

void wake_pickup(const Config& config)
{
    // Best effort, as the queue manager is what matters: pickup looks by itself every minute.
    const auto address = net::SocketAddress::unix_path("public/" + config.get(params::pickup_service_name));
    const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (address && fd && ::connect(fd.get(), address->get(), address->length()) == 0) [[maybe_unused]]
        const auto put = ::write(fd.get(), "W", 1);
}

void flush_all(const Config& config)
{
    check_allowed(config, params::authorized_flush_users, "flush");
    ipc::QueueChange change;
    change.set_operation(ipc::QueueChange::FLUSH_ALL);
    ipc::Nothing reply;
    auto qmgr = ipc::BlockingChannel::connect("public/" + config.get(params::queue_service_name));
    if (!qmgr || !qmgr->call(ipc::Method::queue_change, change, reply))
        give_up("Cannot flush mail queue - mail system is down");
    wake_pickup(config);
}

bool valid_site(std::string_view site)
{
    if (site.starts_with('[') && site.ends_with(']')) {
        const std::string_view literal = site.substr(1, site.size() - 2);
        return net::is_ipv4(literal) || (text::istarts_with(literal, "IPv6:") && net::is_ipv6(literal.substr(5)));
    }
    const auto label_ok = [](std::string_view label) {
        return !label.empty() && label.size() <= 63 && label.front() != '-' && label.back() != '-' &&
               std::ranges::all_of(
                   label, [](char c) { return text::is_alnum(c) || c == '-' || c == '_' || !text::is_ascii(c); });
    };
    for (std::size_t start = 0; start <= site.size();) {
        const std::size_t dot = std::min(site.find('.', start), site.size());
        if (!label_ok(site.substr(start, dot - start)))
            return false;
        start = dot + 1;
    }
    return !net::is_ipv4(site);
}

// "%.100s%s" with dots behind what was cut.
std::string abridged(std::string_view text)
{
    return fmt::format("{}{}", text.substr(0, 100), text.size() > 100 ? "..." : "");
}

void ask_flush(const Config& config, const ipc::FlushRequest& request, std::string_view what)
{
    ipc::FlushReply reply;
    const std::string path = "public/" + config.get(params::flush_service_name);
    auto flush = ipc::BlockingChannel::connect(path);
    if (!flush)
        log::warning("connect to {}: {}", path, errno_text(flush.error().code));
    if (!flush || !flush->call(ipc::Method::flush, request, reply))
        give_up("Cannot flush mail queue - mail system is down");
    switch (reply.status()) {
    case ipc::FlushReply::OK:
        return;
    case ipc::FlushReply::FAIL:
        give_up("Cannot flush mail queue - mail system is down");
    case ipc::FlushReply::BAD:
        give_up("Cannot flush mail queue - invalid destination: \"{}\"", what);
    case ipc::FlushReply::UNKNOWN:
    case ipc::FlushReply::DENY:
        give_up("Flush service is not configured for destination \"{}\"", what);
    default:
        give_up("Unexpected flush server reply status {}", static_cast<int>(reply.status()));
    }
}

void flush_one(const Config& config, Action action, const std::string& argument)
{
    check_allowed(config, params::authorized_flush_users, "flush");
    ipc::FlushRequest request;
    if (action == Action::flush_site) {
        if (!valid_site(argument))
            give_up("Cannot flush mail queue - invalid destination: \"{}\"", abridged(argument));
        request.set_operation(ipc::FlushRequest::SEND_SITE);
        request.set_site(argument);
    } else {
        if (!queue::valid_queue_id(argument))
            give_up("Cannot flush queue ID - invalid name: \"{}\"", abridged(argument));
        request.set_operation(ipc::FlushRequest::SEND_FILE);
        request.set_queue_id(argument);
    }
    ask_flush(config, request, argument);
}

int run(int argc, char** argv)
{
    ::signal(SIGPIPE, SIG_DFL);
    const std::string_view name = argc > 0 ? std::string_view(argv[0]) : std::string_view();
    const bool as_mailq = name.substr(name.rfind('/') + 1) == "mailq";
    static char postqueue_name[] = "postqueue"; // getopt(3) names the program in its messages
    argv[0] = postqueue_name;
    Options options = parse_options(argc, argv);
    if (as_mailq && options.action == Action::none) {
        options.action = Action::list;
        options.wrong = optind < argc;
    }
    // Installed set-gid, so that it reaches the sockets: then not every directory that the caller names is good enough.
    if (const auto good = service::authorize_directory(config::configuration_directory(options.directory)); !good) {
        log::set_tag("postqueue");
        log::error("{}", good.error().error);
        give_up("{}", good.error().fatal);
    }
    // What cannot be loaded is for the skeleton to say, but here a missing file has this command's exit status.
    const std::string main_cf = config::configuration_directory(options.directory) + "/main.cf";
    if (::access(main_cf.c_str(), R_OK) != 0) {
        const int error = errno;
        log::set_tag("postqueue");
        give_up("open {}: {}", main_cf, errno_text(error));
    }
    const Config config = service::load_tool_config("postqueue", options.directory);
    service::set_tool_log(config, "postqueue");
    if (options.wrong)
        give_up("usage: postqueue -f | postqueue -i queueid | postqueue -j | postqueue -p | postqueue -s site");
    log::set_verbosity(::getuid() == 0 ? options.verbosity : 0);
    if (options.directory)
        ::setenv("MAIL_CONFIG", options.directory->c_str(), 1); // for showq
    if (::chdir(config.get(params::queue_directory).c_str()) != 0)
        give_up("chdir {}: {}", config.get(params::queue_directory), errno_text(errno));
    if (options.expire_letter)
        log::warning("-e is postsuper's, to expire messages; listing the queue as -p does");
    switch (options.action) {
    case Action::none:
        break;
    case Action::list:
    case Action::list_json:
        list(config, options);
        break;
    case Action::flush_all:
        flush_all(config);
        break;
    case Action::flush_site:
    case Action::flush_id:
        flush_one(config, options.action, options.argument);
        break;
    case Action::explain:
        explain(config, options);
        break;
    }
    return 0;
}

} // namespace
} // namespace facteur

int main(int argc, char** argv)
{
    return facteur::run(argc, argv);
}
