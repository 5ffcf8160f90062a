// postcat: shows queue files. Source: postcat(1).
#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"
#include "ipc/make_files.h"
#include "queue/spool.h"
#include "service/service.h"
#include "tools/postcat/records.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace facteur {
namespace {

using config::Config;
namespace params = config::params;

constexpr std::size_t kMostBytes = std::size_t{4} << 30;

template <typename... Args>
[[noreturn]] void give_up(fmt::format_string<Args...> format, Args&&... args)
{
    std::fflush(stdout);
    log::fatal("{}", fmt::format(format, std::forward<Args>(args)...));
    std::exit(1);
}

struct Options {
    postcat::Show show;
    std::optional<std::string> directory;
    bool from_queue = false;
    std::vector<std::string> files;
    std::optional<std::string> bad_offset;
    bool wrong = false;
};

Options parse_options(int argc, char** argv)
{
    Options options;
    postcat::Show& show = options.show;
    bool envelope = false;
    bool header = false;
    bool body = false;
    for (int option = 0; (option = ::getopt(argc, argv, "bc:dehoqrs:v")) != -1;)
        switch (option) {
        case 'b':
            body = true;
            break;
        case 'c':
            options.directory = optarg;
            break;
        case 'd':
            show.decimal_types = true;
            break;
        case 'e':
            envelope = true;
            break;
        case 'h':
            header = true;
            break;
        case 'o':
            show.offsets = true;
            break;
        case 'q':
            options.from_queue = true;
            break;
        case 'r': // our files have no pointer records to follow
            break;
        case 's': // and no records that one could start in the middle of
            if (const auto offset = text::to_long(optarg); !offset || *offset < 0)
                options.bad_offset = optarg;
            break;
        case 'v':
            show.type_names = true;
            break;
        default:
            options.wrong = true;
        }
    if (envelope || header || body) {
        show.envelope = envelope;
        show.header = header;
        show.body = body;
    }
    options.files.assign(argv + optind, argv + argc);
    return options;
}

void show_bytes(const std::string& bytes, const std::string& name, const postcat::Show& show)
{
    const auto message = postcat::parse_message(bytes, name);
    if (!message) {
        log::warning("{}: input is not a valid queue file", name);
        return;
    }
    const std::string text = postcat::print_message(*message, show);
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
        give_up("output write error: {}", errno_text(errno));
}

void show_standard_input(const postcat::Show& show)
{
    std::string bytes;
    char buffer[65536];
    while (const std::size_t got = std::fread(buffer, 1, sizeof buffer, stdin))
        bytes.append(buffer, got);
    show_bytes(bytes, "unknown_stream", show);
}

void show_file(const std::string& path, const postcat::Show& show)
{
    const auto bytes = read_file(path, kMostBytes);
    if (!bytes)
        give_up("open {}: {}", path, errno_text(bytes.error().code));
    show_bytes(*bytes, path, show);
}

// A message may move between queues while it is looked for, or have no file yet: look twice.
void show_queued(const queue::Spool& spool, const std::string& qmgr, const std::string& id, const postcat::Show& show)
{
    constexpr std::string_view kWhere[] = {queue::kMaildrop, queue::kIncoming, queue::kActive,
                                           queue::kDeferred, queue::kHold,     queue::kCorrupt};
    if (id.empty() || !std::ranges::all_of(id, text::is_alnum))
        give_up("bad mail queue ID: {}", id);
    int error = ENOENT;
    for (int attempt = 0; attempt < 2; ++attempt) {
        if (attempt > 0)
            ipc::make_queue_files(qmgr);
        for (const auto queue : kWhere) {
            const std::string path = spool.path(queue, id);
            const auto bytes = read_file(path, kMostBytes);
            if (bytes) {
                show_bytes(*bytes, path, show);
                return;
            }
            if (bytes.error().code != ENOENT)
                error = bytes.error().code;
        }
    }
    give_up("open queue file {}: {}", id, errno_text(error));
}

int run(int argc, char** argv)
{
    const Options options = parse_options(argc, argv);
    log::set_tag(argv[0]);
    if (options.wrong)
        give_up("usage: {} [-b (body text)] [-c config_dir] [-d (decimal record type)] [-e (envelope records)] [-h "
                "(header text)] "
                "[-q (access queue)] [-v] [file(s)...]",
                argv[0]);
    if (options.bad_offset)
        give_up("bad offset: {}", *options.bad_offset);
    const Config config = service::load_tool_config(argv[0], options.directory);
    if (!options.from_queue && options.files.empty())
        show_standard_input(options.show);
    const queue::Spool spool(config.get(params::hash_queue_names),
                             static_cast<int>(config.get(params::hash_queue_depth)));
    if (options.from_queue && ::chdir(config.get(params::queue_directory).c_str()) != 0)
        give_up("chdir {}: {}", config.get(params::queue_directory), errno_text(errno));
    for (const auto& file : options.files) {
        if (options.from_queue)
            show_queued(spool, "public/" + config.get(params::queue_service_name), file, options.show);
        else
            show_file(file, options.show);
    }
    return 0;
}

} // namespace
} // namespace facteur

int main(int argc, char** argv)
{
    return facteur::run(argc, argv);
}
