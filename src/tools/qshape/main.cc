// qshape: how the queue is spread over domains and ages. Source: qshape(1).
//
// While mail runs, showq lists from memory what the queue manager knows; otherwise, and for directories that it does
// not keep, the files tell.
#include "base/log.h"
#include "base/text.h"
#include "ipc/queue_listing.h"
#include "queue/queue_file.h"
#include "queue/spool.h"
#include "service/service.h"
#include "tools/qshape/histogram.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace facteur {
namespace {

namespace params = config::params;

constexpr std::string_view kClearScreen = "\033[H\033[2J";

constexpr std::string_view kUsage = R"(Usage: {0} [ -s ] [ -p ] [ -m <min_subdomains> ] [ -l ]
	[ -b <bucket_count> ] [ -t <bucket_time> ] [ -w <terminal_width> ]
	[ -N <batch_msg_count> ] [ -n <batch_top_domains> ]
	[ -c <config_directory> ] [ <queue_name> ... ]
-s counts senders instead of recipients. -p also counts parent domains, shown with a leading dot
when they have at least <min_subdomains> (5) subdomains and are no top-level domains.
Ages double from <bucket_time> (5) minutes on through <bucket_count> (10) columns; -l makes them
grow by <bucket_time> instead. Queues are names below queue_directory or absolute paths, and
incoming and active when none is given.
)";

struct Options {
    qshape::Shape shape;
    bool senders = false;
    int batch = 0; // 0: no intermediate results
    int top = 0;   // 0: all domains
    std::optional<std::string> directory;
    std::vector<std::string> queues;
};

[[noreturn]] void usage(const char* program)
{
    fmt::print(stderr, fmt::runtime(kUsage), program);
    std::exit(255);
}

void set_positive(int& value, const char* text, int least = 1)
{
    if (const auto number = text::to_long(text); number && *number >= least)
        value = static_cast<int>(std::min(*number, 1'000'000L));
}

Options parse_options(int argc, char** argv)
{
    Options options;
    int batch = 1000;
    int top = 20;
    ::opterr = 0; // said in qshape's own words
    for (int option = 0; (option = ::getopt(argc, argv, "lhc:psw:b:t:m:n:N:")) != -1;)
        switch (option) {
        case 'l':
            options.shape.linear = true;
            break;
        case 'p':
            options.shape.parents = true;
            break;
        case 's':
            options.senders = true;
            break;
        case 'c':
            options.directory = optarg;
            break;
        case 'w':
            set_positive(options.shape.width, optarg, 81);
            break;
        case 'b':
            set_positive(options.shape.buckets, optarg);
            break;
        case 't':
            set_positive(options.shape.minutes, optarg);
            break;
        case 'm':
            set_positive(options.shape.minimum_subdomains, optarg);
            break;
        case 'n':
            set_positive(top, optarg, 0);
            break;
        case 'N':
            set_positive(batch, optarg, 0);
            break;
        case 'h':
            usage(argv[0]);
        default:
            fmt::print(stderr, "{}: Unknown option: {}\n", argv[0], static_cast<char>(::optopt));
            usage(argv[0]);
        }
    if (::isatty(STDOUT_FILENO)) {
        options.batch = batch;
        options.top = top;
    }
    options.queues.assign(argv + optind, argv + argc);
    if (options.queues.empty())
        options.queues = {"incoming", "active"};
    return options;
}

class Survey {
public:
    explicit Survey(const Options& options) : options_(options), histogram_(options.shape), now_(std::time(nullptr)) {}

    // A queue that the queue manager keeps. False: nobody tells, and nothing was counted.
    bool listed(ipc::BlockingChannel& showq, const std::string& queue)
    {
        ipc::ListRequest request;
        request.add_queues(queue);
        request.set_with_recipients(!options_.senders);
        qshape::Histogram before = histogram_;
        if (ipc::read_listing(showq, std::move(request), [this](ipc::ListPage& page) { add(page); }))
            return true;
        histogram_ = std::move(before);
        return false;
    }

    void files(const std::string& directory)
    {
        // A directory of any name: the scan walks hash directories by itself.
        const queue::Spool spool("", 0);
        const auto scanned = spool.scan(directory, [this](const std::string&, const std::string& path) {
            add(path);
            return true;
        });
        if (!scanned)
            fmt::print(stderr, "Can't stat {}: {}\n", directory, errno_text(scanned.error().code));
    }

    void show() const
    {
        if (options_.batch > 0)
            fmt::print("{}", kClearScreen);
        fmt::print("{}", histogram_.table(options_.top));
        std::fflush(stdout);
    }

private:
    void add(ipc::ListPage& page)
    {
        while (page.next()) {
            const std::int64_t age = now_ - page.message().arrival_seconds;
            if (options_.senders)
                histogram_.add(page.text(page.message().sender), age);
            for (ipc::ListedRecipient recipient; page.next_recipient(recipient);)
                if (!options_.senders)
                    histogram_.add(recipient.address, age);
            counted_one();
        }
    }

    void add(const std::string& path)
    {
        const auto file = queue::QueueFile::open(path, O_RDONLY);
        if (!file)
            return; // gone, incomplete or no queue file: not counted, as the original has it
        const auto envelope = file->read_envelope();
        const auto states = file->read_states();
        if (!envelope || !states)
            return;
        const std::int64_t age = now_ - file->header().arrival_seconds;
        if (options_.senders) {
            histogram_.add(envelope->sender(), age);
        } else {
            for (int i = 0; i < envelope->recipients_size(); ++i)
                if (queue::is_pending(*states, static_cast<std::size_t>(i)))
                    histogram_.add(envelope->recipients(i).address(), age);
        }
        counted_one();
    }

    void counted_one()
    {
        if (options_.batch > 0 && ++messages_ % options_.batch == 0)
            show();
    }

    const Options& options_;
    qshape::Histogram histogram_;
    std::int64_t now_;
    int messages_ = 0;
};

int run(int argc, char** argv)
{
    const Options options = parse_options(argc, argv);
    const bool relative = std::ranges::any_of(options.queues, [](const auto& name) { return !name.starts_with('/'); });
    std::optional<ipc::BlockingChannel> showq;
    if (relative) {
        const config::Config config = service::load_tool_config("qshape", options.directory);
        const std::string& directory = config.get(params::queue_directory);
        if (::chdir(directory.c_str()) != 0) {
            fmt::print(stderr, "{}: chdir({}): {}\n", argv[0], directory, errno_text(errno));
            return 2;
        }
        if (auto connected = ipc::BlockingChannel::connect("public/" + config.get(params::showq_service_name)))
            showq.emplace(std::move(*connected));
    }
    Survey survey(options);
    for (const auto& queue : options.queues) {
        const bool kept = std::ranges::find(queue::kMessageQueues, queue) != queue::kMessageQueues.end();
        if (!kept || !showq || !survey.listed(*showq, queue))
            survey.files(queue);
    }
    survey.show();
    return 0;
}

} // namespace
} // namespace facteur

int main(int argc, char** argv)
{
    return facteur::run(argc, argv);
}
